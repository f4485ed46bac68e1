"""Define the exceptions of the project. The message of each exception is one line, which gives the reason for the
failure and the user's next step. The command `blazeposer` prints the message and exits with status 1."""

from collections.abc import Iterator
from contextlib import contextmanager


class BlazePoserError(Exception):
    """Base class of the errors that a user can cause and repair."""


class ModelError(BlazePoserError):
    """Error for a network file that is missing or damaged, or that does not agree with the model contract (see
    `contract.py`)."""


class InputError(BlazePoserError):
    """Error for an image, video or camera that cannot be read, or for an output that cannot be written."""


class PortError(BlazePoserError):
    """Error for a serial port that is missing, is already in use, disappeared, or sends nothing."""


class MissingExtraError(BlazePoserError):
    """Error for a missing Python module that an optional extra of this package installs."""

    def __init__(self, module: str, extra: str) -> None:
        where = " (it exists only for 64-bit x86 Linux)" if extra == "demo" else ""
        super().__init__(f"{module} is not installed: run `pip install 'blazeposer[{extra}]'`{where}")


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Raise MissingExtraError if an import inside the `with` block fails because the optional extra `extra` is not
    installed. If a module of this project is missing, the project itself is incomplete, and the ModuleNotFoundError
    stays unchanged."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not extra or module.startswith("blazeposer"):
            raise
        raise MissingExtraError(module, extra) from error
