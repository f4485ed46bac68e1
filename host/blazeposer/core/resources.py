"""Find the files that are not Python packages: `board/` and `models/`.

A wheel carries them inside the package (see `force-include` in pyproject.toml); an editable install and a checkout
have them at the root of the repository.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from blazeposer.core.errors import BlazePoserError, ModelError

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOTS = (_PACKAGE / "data", _PACKAGE.parents[1])  # in a wheel, in a checkout


def board_dir() -> Path:
    """Return the folder of the scripts for cameras."""
    return _folder("board")


def models_dir() -> Path:
    """Return the folder of the trained networks."""
    return _folder("models")


def output_models_dir() -> Path:
    """Return the folder for new networks: models/ of a checkout. An installation stays as it is: there, ./models."""
    folder = models_dir()
    return Path("models") if _is_installed(folder) else folder


def refuse_installed(model: Path) -> None:
    """Raise ModelError if a model belongs to an installed package, into which no command writes."""
    if _is_installed(model):
        raise ModelError(f"{model} belongs to the installation: copy its folder, and name the copy")


def default_model() -> Path:
    """Return the INT8 network that every command uses by default."""
    return models_dir() / "blazeposer.tflite"


def model_version() -> str:
    """Return the network's name in CHANGELOG.md: the first eight digits of its file's sha256."""
    return hashlib.sha256(default_model().read_bytes()).hexdigest()[:8]


def _is_installed(path: Path) -> bool:
    return path.resolve().is_relative_to(_PACKAGE / "data")


def _folder(name: str) -> Path:
    for root in _ROOTS:
        if (root / name).is_dir():
            return root / name
    raise BlazePoserError(f"the folder {name}/ is missing from this installation: reinstall blazeposer")
