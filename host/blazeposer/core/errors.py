"""The exceptions of the project.

A message is one line that says what is wrong and what to do next. The command line prints it and exits with 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BlazePoserError(Exception):
    """A failure that a user can cause and mend. `str(error)` is the one line that he or she reads."""


class ModelError(BlazePoserError):
    """A network file is missing, corrupt or not of the contract."""


class InputError(BlazePoserError):
    """An image, video or camera cannot be read, or an output cannot be written."""


class PortError(BlazePoserError):
    """A serial port is missing, taken, lost or silent."""


class MissingExtraError(BlazePoserError):
    """A module of an optional extra of this distribution is missing here."""

    def __init__(self, module: str, extra: str) -> None:
        where = " on 64-bit x86 Linux, the only system that it has wheels for" if extra == "demo" else ""
        super().__init__(f"{module} is not installed: run `pip install 'blazeposer[{extra}]'`{where}")


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn an import that fails into MissingExtraError: `extra` brings the module. A module of ours is a defect."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not extra or module.startswith("blazeposer"):
            raise
        raise MissingExtraError(module, extra) from error
