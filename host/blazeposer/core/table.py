"""Read tables (.csv). A table from a spreadsheet may contain a byte-order mark, semicolons or decimal commas."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.errors import InputError

ENCODING = "utf-8-sig"
"""Encoding of tables: UTF-8, with or without a byte-order mark."""
Row = dict[str, str]
_SEPARATORS = ",;\t"
_DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)")


def rows(lines: Iterable[str]) -> Iterator[Row]:
    """Yield a dictionary for each row below the header of a table. A decimal comma in a number is replaced by a decimal
    point. If a row is shorter than the header, the dictionary has no keys for the missing cells."""
    lines = iter(lines)
    header = next(lines, "")
    separator = max(_SEPARATORS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    for cells in csv.reader(lines, delimiter=separator):
        if any(cells):
            yield dict(zip(names, map(_cell, cells), strict=False))


def _cell(text: str) -> str:
    text = text.strip()
    return _DECIMAL_COMMA.sub(r"\1.\2", text) if _DECIMAL_COMMA.fullmatch(text) else text


class CsvTable:
    """A table with at least one row below the header. The table must contain every column that `columns` names. Raises
    InputError if the table cannot be used, and OSError if the file cannot be opened. An error message about a wrong
    cell names the file, the row and the column of the cell."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self.path = path
        try:
            with path.open(encoding=ENCODING, newline="") as file:
                self.rows = list(rows(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: not a table: save it as CSV with UTF-8") from error
        if not self.rows:
            raise InputError(f"{path}: the table has no rows below the header: use another table")
        for column in columns:
            self.texts(column)

    def __contains__(self, column: str) -> bool:
        return column in self.rows[0]

    def texts(self, column: str, empty: str = "") -> list[str]:
        """Return the cells of a column, with `empty` in place of empty cells. If `empty` is "", an empty cell raises
        InputError."""
        if column not in self:
            raise InputError(f"{self.path}: the column {column} is missing: add it to {', '.join(self.rows[0])}")
        cells = [row.get(column) or empty for row in self.rows]
        if "" in cells:
            number = cells.index("") + 2
            raise InputError(
                f"{self.path}: row {number}, column {column}: the cell is empty: fill it, or delete the row"
            )
        return cells

    def numbers(self, *columns: str, empty: str = "") -> NDArray[np.float64]:
        """Return columns as an array (rows, columns). Raises InputError if a cell is not a finite number."""
        return np.array([self._numbers(column, empty) for column in columns]).T

    def _numbers(self, column: str, empty: str) -> list[float]:
        values = []
        for number, text in enumerate(self.texts(column, empty), start=2):
            try:
                values.append(float(text))
            except ValueError:
                values.append(np.nan)
            if not np.isfinite(values[-1]):
                raise InputError(
                    f"{self.path}: row {number}, column {column}: {text!r} is not a number: write a number like 1.5"
                )
        return values
