"""The model contract: the network's input, the network's outputs, and their order.

On the PC only this module states these facts. `board/blazeposer.py` repeats some of the facts, because a camera cannot
import this module. `tests/test_board.py` checks that both agree; `tests/test_contract.py` checks the network files.

The first four outputs have the layout of MediaPipe's short-range BlazeFace, as OpenMV's stock post-processor reads it
by index. So the BlazeFace decoder of the firmware can decode this network, and ignores the other outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INPUT_SIZE = 128
"""Side of the square network input, pixels."""
INPUT_SCALE = 1 / 127.5
INPUT_ZERO_POINT = 0
"""Zero point of the int8 input. A camera always writes pixel - 128, for any scale and zero point in the file."""


@dataclass(frozen=True)
class Grid:
    """One feature map with detection anchors: `side` x `side` cells, `anchors` anchors at the centre of each cell."""

    side: int
    anchors: int

    @property
    def cells(self) -> int:
        return self.side * self.side

    @property
    def count(self) -> int:
        """Return the number of anchors on the whole map."""
        return self.cells * self.anchors


GRIDS = (Grid(16, 2), Grid(8, 6))
"""Maps of MediaPipe's short-range BlazeFace: 512 anchors on 16x16, 384 on 8x8. An anchor has a centre and no size."""

KEYPOINTS = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")
"""Order of the six keypoints. Right and left are the person's own: `right_eye` is on the left of the image."""
MIRRORED_KEYPOINTS = (1, 0, 2, 3, 5, 4)
"""Index of each keypoint in the mirror image, where left and right keypoints change places."""

BOX_VALUES = 4  # cx, cy, w, h
REGRESSOR_VALUES = BOX_VALUES + 2 * len(KEYPOINTS)  # 16
REGRESSOR_UNIT = INPUT_SIZE
"""Unit of the regressors: a regressor divided by this is a fraction of the input's side, relative to the anchor."""
ROTATION_VALUES = 6
"""Number of rotation values: the first two rows of the rotation matrix, row by row (Zhou et al., CVPR 2019, use
columns)."""


@dataclass(frozen=True)
class Output:
    """One int8 output tensor; `shape` is (1, anchors or cells, values)."""

    name: str
    shape: tuple[int, int, int]


OUTPUTS = (
    Output("regressors_16", (1, GRIDS[0].count, REGRESSOR_VALUES)),
    Output("scores_16", (1, GRIDS[0].count, 1)),
    Output("scores_8", (1, GRIDS[1].count, 1)),
    Output("regressors_8", (1, GRIDS[1].count, REGRESSOR_VALUES)),
    Output("rotation_16", (1, GRIDS[0].cells, ROTATION_VALUES)),
    Output("rotation_8", (1, GRIDS[1].cells, ROTATION_VALUES)),
    Output("error_16", (1, GRIDS[0].cells, 1)),
    Output("error_8", (1, GRIDS[1].cells, 1)),
)
"""Output tensors in their order. Scores are logits. An error is the natural logarithm of the expected angle in degrees
between the predicted rotation and the true rotation."""

MAX_FILE_BYTES = 126_000
"""Largest size of the INT8 file. With its ROMFS header the file fits into the 131,072 bytes of the OpenMV H7 for
models."""
MAX_ARENA_BYTES = 235_520
"""Largest working memory, as TFLite Micro counts it on a 64-bit PC: one heap block of the H7 and the Nicla Vision, less
the bytes for scripts and images. A camera has pointers of 32 bits and needs less."""

SCORE_THRESHOLD = 0.5
"""Least score of a face: the probability of its best anchor."""
OVERLAP_THRESHOLD = 0.3
"""Intersection over union with the best anchor's box. Anchors above this value are averaged with the best anchor."""

ANGLES = ("yaw", "pitch", "roll")
ANGLE_CONVENTION = "300W-LP / AFLW2000: R = Rx(pitch) Ry(yaw) Rz(roll), degrees; see blazeposer/rotation.py"
MAX_ANGLE = 99.0
"""Largest labelled |angle| of a face in training and evaluation, degrees (AFLW2000 protocol)."""


def anchors() -> NDArray[np.float32]:
    """Return anchor centres (896, 2) as x, y fractions of the input's side: the 16x16 map first, row by row."""
    centres = []
    for grid in GRIDS:
        steps = (np.arange(grid.side, dtype=np.float32) + 0.5) / grid.side
        y, x = np.meshgrid(steps, steps, indexing="ij")
        cells = np.stack([x.ravel(), y.ravel()], axis=1)
        centres.append(np.repeat(cells, grid.anchors, axis=0))
    return np.concatenate(centres)


def cell_of_anchor() -> NDArray[np.int64]:
    """Return for each anchor (896,) its row in the rotations and errors of both maps together (320 rows)."""
    first, second = GRIDS
    return np.concatenate(
        [np.arange(first.count) // first.anchors, first.cells + np.arange(second.count) // second.anchors]
    )
