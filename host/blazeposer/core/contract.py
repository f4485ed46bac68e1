"""The model contract: what goes into the network, what comes out, and in which order.

This is the only place on the PC that states these facts. `board/blazeposer.py` repeats the few it needs, because a
camera cannot import this file, and `tests/test_board.py` holds the two together; `tests/test_contract.py` the files.

The first four outputs are the layout of MediaPipe's short-range BlazeFace as OpenMV's stock post-processor reads it (by
index), so that a camera's own BlazeFace decoder runs this network unchanged and ignores the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INPUT_SIZE = 128
"""Side of the square network input, pixels."""
INPUT_SCALE = 1 / 127.5
INPUT_ZERO_POINT = 0
"""int8 input q = pixel - 128: what a camera writes, whatever scale and zero point a file names."""


@dataclass(frozen=True)
class Grid:
    """One feature map with detection anchors: `side` x `side` cells, `anchors` per cell, all at the cell's centre."""

    side: int
    anchors: int

    @property
    def cells(self) -> int:
        return self.side * self.side

    @property
    def count(self) -> int:
        """Anchors on the whole map."""
        return self.cells * self.anchors


GRIDS = (Grid(16, 2), Grid(8, 6))
"""MediaPipe short-range BlazeFace: 512 anchors on 16x16 and 384 on 8x8. An anchor has a centre and no size."""

KEYPOINTS = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")
"""Order of the six keypoints. Right and left are the person's own: `right_eye` is on the left of the image."""
MIRRORED_KEYPOINTS = (1, 0, 2, 3, 5, 4)
"""Number of each keypoint in the mirror image: left and right change places."""

BOX_VALUES = 4  # cx, cy, w, h
REGRESSOR_VALUES = BOX_VALUES + 2 * len(KEYPOINTS)  # 16
REGRESSOR_UNIT = INPUT_SIZE
"""Regressors are in pixels of the input: divided by this they are fractions of its side, relative to the anchor."""
ROTATION_VALUES = 6
"""The first two rows of the rotation matrix, row by row (Zhou et al., CVPR 2019, with rows for columns)."""


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
"""Scores are logits. Errors are the natural logarithm of the angle, in degrees, to be expected between the predicted
and the true rotation."""

MAX_FILE_BYTES = 126_000
"""Largest INT8 file: with its ROMFS header it fits the 131,072 bytes that the OpenMV H7 has for models."""
MAX_ARENA_BYTES = 235_520
"""Working memory as TFLite Micro counts it on a 64-bit PC: what the H7 and the Nicla Vision have in one block, less
scripts and images. A camera, with pointers of 32 bits, needs less."""

SCORE_THRESHOLD = 0.5
"""A face counts when its best anchor reaches this probability."""
OVERLAP_THRESHOLD = 0.3
"""Anchors whose boxes overlap the best one by more than this intersection over union are blended into it."""

ANGLES = ("yaw", "pitch", "roll")
ANGLE_CONVENTION = "300W-LP / AFLW2000: R = Rx(pitch) Ry(yaw) Rz(roll), degrees; see blazeposer/rotation.py"
MAX_ANGLE = 99.0
"""Faces with any labelled |angle| above this, degrees, are left out of training and evaluation (AFLW2000 protocol)."""


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
    """Return the row (896,) of each anchor in the rotations and errors of both maps stacked (320 rows)."""
    first, second = GRIDS
    return np.concatenate(
        [np.arange(first.count) // first.anchors, first.cells + np.arange(second.count) // second.anchors]
    )
