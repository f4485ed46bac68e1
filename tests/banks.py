"""Banks of images for training, made of made-up pools."""

from __future__ import annotations

from pathlib import Path

from blazeposer_training.images.bank import Bank, read_bank
from pools import write_backgrounds, write_pool


def small_bank(folder: Path) -> Bank:
    """Return the bank of a pool of twelve drawn faces, turned by 0 to 40 degrees of yaw."""
    rows = [{"file": f"{i:06d}.png", "yaw": 10 * (i % 5), "pitch": 5, "roll": 0, "geodesic_spread": 2, "split": "train"}
            for i in range(12)]  # fmt: skip
    write_pool(folder, "aflw", rows)
    write_backgrounds(folder)
    return read_bank(folder, ("aflw",), "train")
