"""Recipes: those of the package, one's own, and what is wrong with a file in one line."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from blazeposer.core.errors import BlazePoserError
from blazeposer_training.learning.recipe import RECIPES, read_recipe, recipe_names, recipe_of


def test_those_of_the_package_are_whole() -> None:
    recipes = {name: read_recipe(name) for name in recipe_names()}
    assert list(recipes) == ["full", "own", "quick"]
    assert recipes["full"].batch == recipes["own"].batch == recipes["quick"].batch == 64
    assert recipes["full"].steps > recipes["quick"].steps


def test_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    quick = read_recipe("quick")
    wanted = replace(quick, phases=(replace(quick.phases[0], steps=7),), rate=1.0)
    path = tmp_path / "mine.toml"
    text = (RECIPES / "quick.toml").read_text()
    path.write_text(text.replace("steps = 2000", "steps = 7").replace("\nrate = 1.5e-3", "\nrate = 1"))
    assert read_recipe(str(path)) == wanted
    assert isinstance(read_recipe(str(path)).rate, float)


def test_the_weights_notes_hold_their_recipe() -> None:
    recipe = read_recipe("full")
    assert recipe_of(json.loads(json.dumps({"recipe": asdict(recipe)}))) == recipe
    assert recipe_of({"recipe": {"steps": 8000, "images": {}}}) == recipe_of({}) == recipe


def test_notes_with_a_setting_too_few_or_too_many_give_the_recipe_full() -> None:
    older = json.loads(json.dumps(asdict(read_recipe("quick"))))
    del older["images"]["blur"]
    assert recipe_of({"recipe": older}) == read_recipe("full")
    older["images"] |= {"blur": 0.0, "reject": True}
    assert recipe_of({"recipe": older}) == read_recipe("full")
    older = json.loads(json.dumps(asdict(read_recipe("quick")))) | {"parallel": 0}
    assert recipe_of({"recipe": older}) == read_recipe("full")


def test_a_phase_says_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    more = "[[phases]]\nsteps = 20\nrestart = false\nimages = { near = 0.5 }\n[[phases]]\nsteps = 5\nrestart = true\n"
    path.write_text((RECIPES / "quick.toml").read_text() + more)
    recipe = read_recipe(str(path))
    first, second, third = recipe.phases
    assert (recipe.steps, recipe.cycles) == (2025, [2020, 5])
    assert first.images == third.images == recipe.images == recipe.last_images
    assert second.images == replace(recipe.images, near=0.5)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("warmup = ", "warm = ", "lacks warmup"),
        ("seed = ", "colour = 1\nseed = ", "has unknown colour"),
        ("seed = 0", "seed = 0.5", "seed = 0.5 must be an int"),
        ("seed = 0", "seed = true", "seed = True must be an int"),
        ("seed = 0", "seed = -1", "seed = -1 must be an int, 0 or more"),
        ("batch = 64", "batch = 0", "batch must be at least 1"),
        ("steps = 2000", "steps = 0", "steps must be at least 1"),
        ("restart = true", "restart = 1", "restart = 1 must be true or false"),
        ("restart = true", "images = { nearer = 1 }\nrestart = true", "has unknown nearer"),
        ("restart = true", "images = 3\nrestart = true", "images = 3 must be a table"),
        ("[[phases]]", "[phases]", "phases = .* must be a list of tables"),
        ("seed = 0", "seed", "is not a toml file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    text = (RECIPES / "quick.toml").read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(BlazePoserError, match=message) as caught:
        read_recipe(str(path))
    assert "mine.toml" in str(caught.value)


def test_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(BlazePoserError, match=r"slow.*full, own, quick, or a toml"):
        read_recipe("slow")
