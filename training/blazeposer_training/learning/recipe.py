"""A training's settings, read from a file: `recipes/NAME.toml`, or one's own in the same form."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from blazeposer.core.errors import BlazePoserError

from ..network.architecture import architecture

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training's result but the data. There are no defaults: a file names every setting."""

    architecture: str
    """A name of `network.architecture.ARCHITECTURES`."""
    steps: int
    """Of the last stage, in which the whole network trains."""
    batch: int
    """Pictures a step, over all processes together."""
    rate: float
    """AdamW's peak, after a warm-up, falling along a cosine to nothing."""
    warmup: int
    """Steps until the peak."""
    decay: float
    """AdamW's weight decay, in every stage."""
    average: float
    """Share that the moving average of the weights, which is what ships, keeps at a step."""
    distil_steps: int
    """Of the first stage, in which the backbone learns the original's feature maps; unused if it is the original's."""
    distil_rate: float
    """Peak of AdamW's rate in that stage."""
    cached_batches: int
    """Of the pose heads' stage: their features, 57 KB a picture, are computed once and kept."""
    cached_epochs: int
    """How often the pose heads see them."""
    cached_rate: float
    """Peak of AdamW's rate in that stage."""
    seed: int
    """Of first weights, of pictures and of their order."""


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(name: str) -> Recipe:
    """The recipe of a name or of a toml file. Raises BlazePoserError when it is none, in one line."""
    path = RECIPES / f"{name}.toml" if name in recipe_names() else Path(name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(recipe_names())
        raise BlazePoserError(f"no recipe {name}: give --recipe one of {names}, or a toml file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BlazePoserError(f"{path} is no toml file: {error}") from error
    kinds: dict[str, type] = {
        field.name: {"str": str, "int": int}.get(str(field.type), float) for field in fields(Recipe)
    }
    for problem, settings in (("lacks", kinds.keys() - values.keys()), ("has unknown", values.keys() - kinds.keys())):
        if settings:
            raise BlazePoserError(f"recipe {path} {problem} {', '.join(sorted(settings))}: compare it with {RECIPES}")
    for setting, kind in kinds.items():
        value = values[setting]
        if kind is str:
            architecture(value)
            continue
        if isinstance(value, bool) or not isinstance(value, int | kind) or value < 0:
            raise BlazePoserError(f"recipe {path}: {setting} = {value!r} must be {kind.__name__}, 0 or more")
        values[setting] = kind(value)
    for setting in ("steps", "batch"):
        if not values[setting]:
            raise BlazePoserError(f"recipe {path}: {setting} must be at least 1")
    return Recipe(**values)
