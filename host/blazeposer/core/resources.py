"""Find the folders `board/` and `models/`, which are not Python packages. In a wheel, they are inside the package (see
`force-include` in pyproject.toml). In an editable install or a checkout, they are at the root of the repository."""

import hashlib
from pathlib import Path

from blazeposer.core.errors import BlazePoserError, ModelError

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOTS = (_PACKAGE / "data", _PACKAGE.parents[1])  # in a wheel, in a checkout


def board_dir() -> Path:
    """Return the folder that contains the scripts for cameras."""
    return _folder("board")


def models_dir() -> Path:
    """Return the folder that contains the trained networks."""
    return _folder("models")


def output_models_dir() -> Path:
    """Return the folder for new networks. If the package was installed from a wheel, the result is the folder `models/`
    in the current folder, and otherwise the folder `models/` of the repository."""
    folder = models_dir()
    return Path("models") if _is_installed(folder) else folder


def refuse_installed(model: Path) -> None:
    """Raise ModelError if a model belongs to an installed package, because no command changes an installed package."""
    if _is_installed(model):
        raise ModelError(
            f"{model} belongs to the installed package and cannot be changed: copy its folder, and use the copy"
        )


def default_model() -> Path:
    return models_dir() / "blazeposer.tflite"


def model_version() -> str:
    """Return the name that CHANGELOG.md uses for the default network: the first eight hexadecimal digits of the sha256
    of the network file."""
    return hashlib.sha256(default_model().read_bytes()).hexdigest()[:8]


def _is_installed(path: Path) -> bool:
    return path.resolve().is_relative_to(_PACKAGE / "data")


def _folder(name: str) -> Path:
    for root in _ROOTS:
        if (root / name).is_dir():
            return root / name
    raise BlazePoserError(f"the folder {name}/ is missing from this installation: reinstall blazeposer")
