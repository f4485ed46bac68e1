"""Banks of images for training, made of made-up pools."""

from pathlib import Path

import pytest

from blazeposer_training.images.bank import Bank, read_bank
from pools import write_backgrounds, write_pool


def small_bank(folder: Path) -> Bank:
    """Return the bank of a pool of twelve drawn faces, turned by 0 to 40 degrees of yaw."""
    rows = [{"file": f"{i:06d}.png", "yaw": 10 * (i % 5), "pitch": 5, "roll": 0, "geodesic_spread": 2, "split": "train"}
            for i in range(12)]  # fmt: skip
    write_pool(folder, "aflw", rows)
    write_backgrounds(folder)
    return hasty_bank(folder)


def hasty_bank(folder: Path, faceless: tuple[str, ...] = ("faceless",)) -> Bank:
    """Return the bank of the pool `aflw` of a folder, with 9 collages instead of hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blazeposer_training.images.bank.COLLAGES", 9)
        return read_bank(folder, ("aflw",), "train", faceless=faceless)
