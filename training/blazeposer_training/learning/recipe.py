"""Read a training's settings from a recipe of the package (`recipes/NAME.toml`) or from a user's own file."""

from __future__ import annotations  # the types of fields must be strings for `recipe._kinds`

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from blazeposer.core.errors import BlazePoserError

from ..images.settings import ImageSettings
from ..network.architecture import architecture

RECIPES = Path(__file__).parent / "recipes"
TERMS = (
    "rotation", "blended", "angles", "bins", "unit", "error", "scores", "seen", "regressors", "mirror", "mirror_error",
    "mirror_scores", "mirror_regressors",
)  # fmt: skip
"""Names of the terms of `losses.total_loss`. The terms `rotation`, `blended`, `angles` and `mirror` are in radians. The
terms `regressors` and `mirror_regressors` are in pixels. All other terms have no unit. The terms of the pose need large
weights. With the weights 1 for `scores`, 0.06 for `regressors` and 2 for `angles`, the mean error of the pose on the
validation faces is half a degree larger than with the weights 0.15, 0.02 and 6, and recall is lower."""


@dataclass(frozen=True)
class Phase:
    """A phase of the third stage of a training."""

    steps: int
    restart: bool
    """True if a new cycle of the learning rate begins with this phase."""
    images: ImageSettings
    """Settings of the phase's images. In a recipe file, a phase contains only the settings that differ from the file's
    table `images`."""


@dataclass(frozen=True)
class Recipe:
    """All settings that decide the result of a training. If a recipe file lacks a setting, `read_recipe` raises
    BlazePoserError."""

    architecture: str
    """Name of an architecture in `network.architecture.ARCHITECTURES`."""
    pools: tuple[str, ...]
    """Names of the data sets of labelled photos."""
    faceless: tuple[str, ...]
    """Names of zip files with photos without faces. Photos with an odd number in the file name are kept for tests. If
    no zip file is named, backgrounds are drawn."""
    batch: int
    """Number of images in a step."""
    rate: float
    """Peak of AdamW's learning rate in the third stage."""
    warmup: int
    """Number of steps until the learning rate reaches its peak."""
    decay: float
    """AdamW's weight decay, in every stage."""
    average: float
    """Decay of the moving average of the weights, 0 to 1. At each step, the moving average keeps this share of its
    previous value. The shipped network has the averaged weights."""
    distil_steps: int
    """Number of steps of the first stage."""
    distil_rate: float
    """Peak of AdamW's learning rate in the first stage."""
    cached_batches: int
    """Number of batches in the second stage, which trains only the pose heads. The feature maps of these batches are
    computed once and kept in memory. The feature maps of one image take 57 KB."""
    cached_epochs: int
    """Number of passes over the `cached_batches`."""
    cached_rate: float
    """Peak of AdamW's learning rate in the second stage."""
    seed: int
    """Seed of the initial weights, of the images and of the images' order."""
    weights: dict[str, float]
    """Weights of the loss terms in `TERMS`."""
    images: ImageSettings
    """Settings of the images, except in phases with other settings."""
    phases: tuple[Phase, ...]
    """Phases of the third stage, in which the whole network trains."""

    @property
    def steps(self) -> int:
        """Return the number of steps in the third stage."""
        return sum(phase.steps for phase in self.phases)

    @property
    def cycles(self) -> list[int]:
        """Return the number of steps of each cycle of the learning rate in the third stage."""
        cycles: list[int] = []
        for phase in self.phases:
            if phase.restart or not cycles:
                cycles.append(0)
            cycles[-1] += phase.steps
        return cycles

    @property
    def last_images(self) -> ImageSettings:
        """Return the image settings of the first phase in the last cycle. With these settings, the images for
        calibration and quantization are as varied as a camera's images."""
        return [phase.images for index, phase in enumerate(self.phases) if phase.restart or not index][-1]


def recipe_names() -> list[str]:
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(name: str) -> Recipe:
    """Return the package's recipe `name`, or the recipe in the toml file `name`. Raises BlazePoserError if the recipe
    is missing or not valid."""
    path = RECIPES / f"{name}.toml" if name in recipe_names() else Path(name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(recipe_names())
        raise BlazePoserError(
            f"there is no recipe {name}: choose one of {names}, or a toml file, with --recipe"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BlazePoserError(f"{path} is not a toml file: {error}") from error
    recipe = _recipe(path, values)
    architecture(recipe.architecture)
    for setting, count in (("steps", min(phase.steps for phase in recipe.phases)), ("batch", recipe.batch)):
        if not count:
            raise BlazePoserError(f"recipe {path}: {setting} must be at least 1")
    return recipe


def recipe_of(notes: Mapping[str, object]) -> Recipe:
    """Return the recipe in the notes of a file of weights. If the notes have no recipe, or if this version cannot read
    the recipe, return the recipe `full`. For example, the recipe of old weights can lack a setting."""
    values = notes.get("recipe")
    try:
        return _recipe(Path("in the notes"), values if isinstance(values, dict) else {})
    except BlazePoserError:  # the weights were trained with other settings than this version has
        return read_recipe("full")


def _recipe(path: Path, values: dict[str, Any]) -> Recipe:
    """Return a recipe from the values of a toml file. The image settings of a phase replace the settings with the same
    names in the table `images`."""
    match values:
        case {"images": dict() as images, "phases": [*phases]} if all(
            isinstance(phase, dict) and isinstance(phase.get("images", {}), dict) for phase in phases
        ):
            whole = [phase | {"images": images | phase.get("images", {})} for phase in phases]
            values = values | {"phases": whole}
    return Recipe(**_settings(path, values, _kinds(Recipe)))


def _kinds(table: type) -> dict[str, str]:
    return {field.name: str(field.type) for field in fields(table)}


def _settings(path: Path, values: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    """Check the names and types of the values in a toml table, and return the values."""
    for problem, settings in (("lacks", kinds.keys() - values.keys()), ("has unknown", values.keys() - kinds.keys())):
        if settings:
            raise BlazePoserError(f"recipe {path} {problem} {', '.join(sorted(settings))}: compare it with {RECIPES}")
    return {setting: _setting(path, setting, values[setting], kind) for setting, kind in kinds.items()}


def _setting(path: Path, setting: str, value: Any, kind: str) -> Any:
    match kind, value:
        case "str", str():
            return value
        case "tuple[str, ...]", list() if (value or setting == "faceless") and all(
            isinstance(item, str) for item in value
        ):
            return tuple(value)
        case "dict[str, float]", dict():
            return _settings(path, value, dict.fromkeys(TERMS, "float"))
        case "ImageSettings", dict():
            return ImageSettings(**_settings(path, value, _kinds(ImageSettings)))
        case "tuple[Phase, ...]", [{**_first}, *rest] if all(isinstance(one, dict) for one in rest):
            return tuple(Phase(**_settings(path, phase, _kinds(Phase))) for phase in value)
        case "bool", bool():
            return value
        case ("int", int()) | ("float", int() | float()) if not isinstance(value, bool) and value >= 0:
            return value if kind == "int" else float(value)
    wanted = {
        "str": "a string",
        "int": "an int, 0 or more",
        "float": "a float, 0 or more",
        "bool": "true or false",
        "tuple[Phase, ...]": "a list of tables",
        "tuple[str, ...]": "a list of strings",
    }
    raise BlazePoserError(f"recipe {path}: {setting} = {value!r} must be {wanted.get(kind, 'a table')}")
