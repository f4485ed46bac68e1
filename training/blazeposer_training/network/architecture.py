"""Define network architectures."""

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.errors import BlazePoserError

INPUT_CHANNELS = 3

Kind = Literal["residual", "plain"]


@dataclass(frozen=True)
class Block:
    """A block of the backbone. Its initial weights come from BlazeFace's block with the number `source`.

    A `residual` block is a depthwise 3x3 convolution and a pointwise convolution with a shortcut around both, as in
    BlazeFace. A `plain` block has no shortcut.
    """

    channels: int
    stride: int
    source: int
    kind: Kind = "residual"


@dataclass(frozen=True)
class Architecture:
    """The settings of one architecture. All architectures have the same inputs, outputs and sizes of feature maps."""

    stem: int
    """Number of channels of the first convolution."""
    blocks: tuple[Block, ...]
    taps: tuple[int, int]
    """Indices of the two blocks whose outputs (16x16 and 8x8) the heads read."""
    regressor_ranks: tuple[int, int] = (0, 0)
    """Number of channels between the two convolutions of each feature map's regressor head, which computes boxes and
    keypoints. The number 0 means a single convolution."""
    pose_hidden: int = 36
    """Number of hidden channels of a pose head."""
    stem_kernel: int = 5

    @property
    def tap_channels(self) -> tuple[int, int]:
        first, second = (self.blocks[tap].channels for tap in self.taps)
        return first, second

    @property
    def folds(self) -> bool:
        """Return whether the convolutions in the blocks have shortcuts in training (see `branches.py`)."""
        return any(block.kind != "residual" for block in self.blocks)


def stages(*rows: tuple[int, ...]) -> tuple[Block, ...]:
    """Return residual blocks. Each item of `rows` contains the channel counts of the blocks at one resolution. The
    first item is for 64x64, and the last item is for 8x8. Block n starts with the weights of BlazeFace's block n."""
    sizes = [(channels, stage > 0 and i == 0) for stage, row in enumerate(rows) for i, channels in enumerate(row)]
    return tuple(Block(channels, 2 if first else 1, source) for source, (channels, first) in enumerate(sizes))


ORIGINAL = Architecture(
    stem=24,
    blocks=stages((24, 28), (32, 36, 42), (48, 56, 64, 72, 80, 88), (96, 96, 96, 96, 96)),
    taps=(10, 15),
)
"""The architecture of MediaPipe's short-range BlazeFace (Bazarevsky et al., 2019)."""

_SOURCES = ((0, 1), (2, 3, 4), (5, 6, 7, 8, 9, 10), (11, 12, 13, 14, 15))
"""Indices of BlazeFace's blocks at each resolution: 64x64, 32x32, 16x16, 8x8."""


def plain(stem: int, *rows: tuple[int, ...]) -> Architecture:
    """Return an architecture with plain blocks and a 3x3 stem. For `rows`, see `stages`.

    The initial weights come from BlazeFace's blocks at the same resolution. At each resolution except 64x64, the first
    block gets the weights of BlazeFace's first block. The blocks after the first block (at 64x64, all blocks) get the
    weights of BlazeFace's last blocks. If the architecture has more blocks than BlazeFace at a resolution, the surplus
    blocks get the weights of BlazeFace's last block.
    """
    blocks: list[Block] = []
    for stage, (row, sources) in enumerate(zip(rows, _SOURCES, strict=True)):
        for i, channels in enumerate(row):
            halves = stage > 0 and i == 0
            source = 0 if halves else min(i + max(len(sources) - len(row), 0), len(sources) - 1)
            blocks.append(Block(channels, 2 if halves else 1, sources[source], "plain"))
    taps = (len(blocks) - len(rows[3]) - 1, len(blocks) - 1)
    return Architecture(stem, tuple(blocks), taps, (0, 24), stem_kernel=3)


ARCHITECTURES = {
    "plain-65": plain(16, (16,), (32, 36, 42), (48, 56, 64, 72, 80, 88), (88, 88, 88, 88, 88)),
}
"""Architectures that a recipe (the settings of a training) may name. The number in a name is the estimated number of
instructions on a Cortex-M7, in millions."""
ARCHITECTURE = ARCHITECTURES["plain-65"]
"""The architecture that ships."""


def architecture(name: str) -> Architecture:
    """Return the architecture with this name. Raises BlazePoserError if there is none."""
    if name not in ARCHITECTURES:
        raise BlazePoserError(f"there is no architecture {name}: choose one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
