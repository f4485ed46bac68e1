"""The exceptions of the project.

A message is one line with the reason and the next step. The command line prints it and exits with 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BlazePoserError(Exception):
    """A failure that a user can cause and repair. `str(error)` is the line for the user."""


class ModelError(BlazePoserError):
    """A network file that is missing, damaged, or not a network of the contract."""


class InputError(BlazePoserError):
    """An image, video or camera that cannot be read, or an output that cannot be written."""


class PortError(BlazePoserError):
    """A serial port that is missing, in use, lost or silent."""


class MissingExtraError(BlazePoserError):
    """A missing module that an optional extra of this package installs."""

    def __init__(self, module: str, extra: str) -> None:
        where = " on 64-bit x86 Linux, the only system that it has wheels for" if extra == "demo" else ""
        super().__init__(f"{module} is not installed: run `pip install 'blazeposer[{extra}]'`{where}")


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Raise MissingExtraError if an import fails because the extra is not installed. A missing module of this project
    is a defect, and its error passes unchanged."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not extra or module.startswith("blazeposer"):
            raise
        raise MissingExtraError(module, extra) from error
