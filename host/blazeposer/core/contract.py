"""Define the model contract: the network's input, the network's outputs and the order of the outputs.

The camera script `board/blazeposer.py` repeats a part of the model contract, because a camera cannot import this
module. Tests compare the two. The network's first four outputs have the same layout as the outputs of MediaPipe's
short-range BlazeFace. The BlazeFace decoder in OpenMV's firmware reads these outputs by their index and ignores all
other outputs, so OpenMV's decoder can also decode the faces of BlazePoser.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INPUT_SIZE = 128
"""Side of the network's square input, in pixels."""
INPUT_SCALE = 1 / 127.5
INPUT_ZERO_POINT = 0
"""Zero point of the int8 input. A camera always subtracts 128 from each pixel value, and ignores the scale and the zero
point in the network file."""


@dataclass(frozen=True)
class Grid:
    """A feature map of `side` x `side` cells. `anchors` is the number of anchors at the centre of each cell."""

    side: int
    anchors: int

    @property
    def cells(self) -> int:
        return self.side * self.side

    @property
    def count(self) -> int:
        return self.cells * self.anchors


GRIDS = (Grid(16, 2), Grid(8, 6))
"""Feature maps of MediaPipe's short-range BlazeFace. An anchor has a centre but no size."""

KEYPOINTS = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")
"""Order of the six keypoints. Right and left are the person's right and left, so `right_eye` is on the left of the
image."""
MIRRORED_KEYPOINTS = (1, 0, 2, 3, 5, 4)

BOX_VALUES = 4  # cx, cy, w, h
REGRESSOR_VALUES = BOX_VALUES + 2 * len(KEYPOINTS)  # 16
REGRESSOR_UNIT = INPUT_SIZE
"""Unit of the regressors. A regressor divided by this unit is a fraction of the input's side."""
ROTATION_VALUES = 6
"""Number of rotation values, which are the first two rows of the rotation matrix, row by row. (Zhou et al., CVPR 2019,
use the first two columns.)"""


@dataclass(frozen=True)
class Output:
    """One int8 output tensor of the network. The shape is (1, number of anchors or cells, number of values)."""

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
"""Output tensors, in the order of the network. Scores are logits. The values of an error output are natural logarithms
of the expected angle between the predicted and the true rotation, in degrees."""

MAX_FILE_BYTES = 126_000
"""Largest size of the INT8 file in bytes. A file of this size and its ROMFS header fit into the 131,072 bytes that the
OpenMV H7 has for models."""
MAX_ARENA_BYTES = 235_520
"""Largest working memory in bytes, as TFLite Micro counts it on a 64-bit PC. An arena of this size fits
into the memory of every board (see `Board.arena`). A camera needs less memory, because its pointers have 32 bits."""

SCORE_THRESHOLD = 0.5
"""Smallest score of a detected face. The score of a face is the probability of the face's best anchor, which is
the anchor with the highest probability."""
OVERLAP_THRESHOLD = 0.3
"""Largest overlap (intersection over union) of two faces' boxes. If an anchor's box overlaps the best anchor's box by
more, the two anchors belong to the same face and are averaged."""

ANGLES = ("yaw", "pitch", "roll")
ANGLE_CONVENTION = "300W-LP / AFLW2000: R = Rx(pitch) Ry(yaw) Rz(roll), degrees; see blazeposer/rotation.py"
MAX_ANGLE = 99.0
"""Largest absolute value of a labelled angle in training and evaluation, in degrees (AFLW2000 protocol)."""


def anchors() -> NDArray[np.float32]:
    """Return x and y of the centres of all anchors (896, 2), as fractions of the side of the network's input. The
    anchors of the 16x16 feature map come first. The anchors in each feature map are ordered row by row."""
    centres = []
    for grid in GRIDS:
        steps = (np.arange(grid.side, dtype=np.float32) + 0.5) / grid.side
        y, x = np.meshgrid(steps, steps, indexing="ij")
        cells = np.stack([x.ravel(), y.ravel()], axis=1)
        centres.append(np.repeat(cells, grid.anchors, axis=0))
    return np.concatenate(centres)


def cell_of_anchor() -> NDArray[np.int64]:
    """Return the index of each anchor's cell (896,). The cells of both feature maps are numbered from 0 to 319, in the
    order of the rows in the network's rotation and error outputs."""
    first, second = GRIDS
    return np.concatenate(
        [np.arange(first.count) // first.anchors, first.cells + np.arange(second.count) // second.anchors]
    )
