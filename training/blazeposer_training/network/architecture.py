"""Which network: its channels, block by block, and what of MediaPipe's BlazeFace each of its blocks starts from."""

from __future__ import annotations

from dataclasses import dataclass

INPUT_CHANNELS = 3


@dataclass(frozen=True)
class Block:
    """One BlazeBlock: channels out, stride, and the block of the original that its weights start from."""

    channels: int
    stride: int
    source: int


@dataclass(frozen=True)
class Architecture:
    """Everything that may differ between candidates; the contract (inputs, outputs, maps) is the same for all."""

    stem: int
    """Channels of the 5x5 convolution at the input."""
    blocks: tuple[Block, ...]
    taps: tuple[int, int]
    """Blocks whose outputs the heads read: the 16x16 and the 8x8 map."""
    regressor_ranks: tuple[int, int] = (0, 0)
    """Channels between the two factors of a map's regressor head; 0 is one full convolution."""
    pose_hidden: int = 36
    """Hidden channels of a pose head."""

    @property
    def tap_channels(self) -> tuple[int, int]:
        first, second = (self.blocks[tap].channels for tap in self.taps)
        return first, second


def stages(*rows: tuple[int, ...]) -> tuple[Block, ...]:
    """Blocks by the channels of each resolution, 64x64 first; each starts from the original's of the same number."""
    sizes = [(channels, stage > 0 and i == 0) for stage, row in enumerate(rows) for i, channels in enumerate(row)]
    return tuple(Block(channels, 2 if first else 1, source) for source, (channels, first) in enumerate(sizes))


ORIGINAL = Architecture(
    stem=24,
    blocks=stages((24, 28), (32, 36, 42), (48, 56, 64, 72, 80, 88), (96, 96, 96, 96, 96)),
    taps=(10, 15),
)
"""MediaPipe's short-range BlazeFace (Bazarevsky et al., 2019)."""

ARCHITECTURE = Architecture(
    stem=16,
    blocks=stages((16, 16), (32, 36, 42), (48, 56, 64, 72, 80, 88), (88, 88, 88, 88, 88)),
    taps=(10, 15),
    regressor_ranks=(0, 24),
    pose_hidden=36,
)
"""The one that ships."""
