"""The pages' figures are the manifests'."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.resources import models_dir
from blazeposer.evaluate.figures import BLOCKS, Manifests, fill, read_manifests
from conftest import CommandLine

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def manifests() -> Manifests:
    return read_manifests(models_dir())


@pytest.mark.parametrize("page", ["README.md", "models/README.md", "CHANGELOG.md"])
def test_committed_pages_say_what_the_manifests_say(page: str, manifests: Manifests) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert " blazeposer figures -->\n" in text
    assert fill(text, manifests) == text, f"run `blazeposer figures {page}`"


def test_a_block_is_written_anew(manifests: Manifests) -> None:
    text = "a\n<!-- size: blazeposer figures -->\nold\n<!-- end -->\nb\n"
    assert fill(text, manifests) == text.replace("old\n", BLOCKS["size"](manifests))
    assert f"{manifests.int8.arena_bytes:,} bytes" in fill(text, manifests)
    with pytest.raises(BlazePoserError, match="no block 'nothing'"):
        fill(text.replace("size", "nothing"), manifests)


def test_what_was_not_measured_is_asked_for(manifests: Manifests) -> None:
    bare = manifests._replace(int8=replace(manifests.int8, figures={}))
    with pytest.raises(BlazePoserError, match="blazeposer evaluate --dataset aflw2000_dev --record"):
        fill("<!-- accuracy: blazeposer figures -->\n<!-- end -->", bare)


def test_the_command_rewrites_pages(tmp_path: Path, manifests: Manifests, blazeposer_command: CommandLine) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- certainty: blazeposer figures -->\n<!-- end -->\n")
    run = blazeposer_command("figures", page)
    assert run.status == 0, run.err
    assert BLOCKS["certainty"](manifests) in page.read_text()
    assert blazeposer_command("figures", tmp_path / "none.md").status == 1
