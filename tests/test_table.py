"""Pools whose table went through a spreadsheet: read right, or one line that names file, row and column."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blazeposer.core.errors import InputError
from blazeposer.evaluate.datasets.pool import Pool, read_pool
from pools import write_pool

HEADER = "file,width,height,x0,y0,x1,y1,yaw,pitch,roll,geodesic_spread,split"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pool of four faces; all landmarks of one have its number as their coordinates."""
    rows = [{"file": f"{i}.png", "yaw": 10 * i, "pitch": 0, "roll": 1.5, "split": "train"} for i in range(4)]
    write_pool(tmp_path, "mine", rows)
    np.save(tmp_path / "mine_landmarks68.npy", np.ones((4, 68, 2)) * np.arange(4)[:, None, None])
    return tmp_path


def read_after(folder: Path, change: Callable[[str], str]) -> Pool:
    """Return the pool as it is read after its table was changed."""
    path = folder / "mine.csv"
    path.write_text(change(path.read_bytes().decode()), encoding="utf-8", newline="")
    return read_pool(folder, "mine", "train")


def numbered(text: str) -> str:
    """Return a table with the column `face`, as `blazeposer label` writes it."""
    header, *lines = text.splitlines()
    return "\n".join([f"{header},face", *(f"{line},{face}" for face, line in enumerate(lines))])


def without_row(text: str, number: int) -> str:
    """Return a table without one of its rows; 0 is the first below the header."""
    lines = text.splitlines()
    return "\n".join(lines[: number + 1] + lines[number + 2 :])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";"),
        lambda text: "\ufeff" + text.replace(",", ";").replace(".5", ",5"),
        lambda text: text + "," * HEADER.count(",") + "\n",
        numbered,
    ],
    ids=["byte-order mark", "semicolons", "decimal commas", "empty row", "numbered"],
)
def test_a_saved_table_is_the_same_pool(folder: Path, change: Callable[[str], str]) -> None:
    pool = read_after(folder, change)
    assert pool.files == [f"{i}.png" for i in range(4)]
    assert pool.angles.tolist() == [[10 * i, 0, 1.5] for i in range(4)]
    assert pool.landmarks[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_landmarks_stay_with_their_face_when_a_row_is_deleted(folder: Path) -> None:
    pool = read_after(folder, lambda text: without_row(numbered(text), 1))
    assert pool.angles[:, 0].tolist() == [0, 20, 30]
    assert pool.landmarks[:, 0, 0].tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: without_row(text, 1), "3 rows, but landmarks of 4 faces, and no column face"),
        (lambda text: text.replace("yaw", "gaze"), "the column yaw is missing"),
        (lambda text: text.replace("split", "part"), "the column split is missing"),
        (lambda text: text.replace("2.png", ""), "row 4, column file: the cell is empty"),
        (lambda text: text.replace(",20,", ",,"), "row 4, column yaw: the cell is empty"),
        (lambda text: text.replace(",20,", ",left,"), "row 4, column yaw: 'left' is not a number"),
        (lambda text: text.replace(",20,", ",nan,"), "row 4, column yaw: 'nan' is not a number"),
        (
            lambda text: numbered(text).replace("train,2", "train,9"),
            "row 4, column face: there is no face 9 among 4 faces",
        ),
        (lambda _: HEADER, "no rows below the header"),
        (lambda _: "", "no rows below the header"),
    ],
)
def test_a_damaged_table_is_one_line(folder: Path, change: Callable[[str], str], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_after(folder, change)
    assert "mine.csv: " in str(caught.value)
    assert "\n" not in str(caught.value)
