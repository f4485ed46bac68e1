"""The cable pulled in every stage of a deploy: `status` tells the truth, a second one completes, `restore` undoes."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy.bundle import MODEL, Bundle, make
from deploying import FRAME, STOCK, Silent, deploy, held, in_use, restore, seen, status, truth
from standin import standin

pytestmark = pytest.mark.slow

CUTS = 3
"""In each stage of each way: 54 in all."""
RESET = 300  # bytes at least with which mpremote resets a camera
WAYS = {"append": "nicla", "replace": "rt1062", "rewrite": "h7"}
"""Board by how ROMFS changes: the H7's is one block, erased at once, of which nothing survives a cut."""
STAGES = (
    "reading the camera's state",
    "saving the old files",
    "writing",
    "comparing",
    "testing the network on the camera",
    "waiting for the stream",
)


class Whole(NamedTuple):
    """A deploy that was not cut."""

    before: dict[str, object]
    after: dict[str, object]
    lengths: dict[str, int]
    """Bytes that pass the link in each stage."""


@pytest.fixture(scope="module")
def bundle(small_model: Path) -> Bundle:
    return make(small_model)


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def camera_in_use(way: str, bundle: Bundle, root: Path) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME], board=WAYS[way]) as camera:
        in_use(camera)
        if way == "replace":
            deploy(camera, replace(bundle, files={**bundle.files, MODEL: standin(ballast=500)}), root)
        yield camera


@pytest.fixture(scope="module")
def whole(needs_virtual_camera: None, way: str, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    names: list[str] = []
    passed: list[int] = []
    with camera_in_use(way, bundle, tmp_path_factory.mktemp("older")) as camera:

        def staged(name: str) -> None:
            names.append(name)
            passed.append(camera.traffic)

        before = seen(camera)
        deploy(camera, bundle, tmp_path_factory.mktemp("whole"), guide=Silent(staged))
        passed.append(camera.traffic)
        lengths = [end - start for start, end in pairwise(passed)]
        return Whole(before, seen(camera), dict(zip(names, lengths, strict=True)))


def test_a_deploy_has_these_stages(whole: Whole, bundle: Bundle) -> None:
    assert tuple(whole.lengths) == STAGES
    assert whole.after["/rom"] == {**STOCK, MODEL: bundle.model}


@pytest.mark.parametrize("stage", STAGES)
def test_cuts(whole: Whole, way: str, stage: str, bundle: Bundle, tmp_path: Path) -> None:
    reach = RESET if stage == STAGES[-1] else whole.lengths[stage]  # there the stream follows, as long as it is
    with camera_in_use(way, bundle, tmp_path / "older") as camera:
        image = held(camera)["/rom"]
        for number, point in enumerate(random.Random(stage).sample(range(1, reach), CUTS)):
            root = tmp_path / str(number)

            def cut(name: str, point: int = point) -> None:
                if name == stage:
                    camera.unplug_after(point)

            with pytest.raises(BlazePoserError) as raised:
                deploy(camera, bundle, root, guide=Silent(cut), patience=3)
            assert "\n" not in str(raised.value)
            assert "Traceback" not in str(raised.value)
            camera.plug_in()
            said = status(camera, bundle, root)
            for path, words in truth(camera, bundle, whole.before["/rom"], whole.after["/rom"]).items():
                assert said.items.get(path) in words, (point, path)
            assert said.is_deployed == (seen(camera) == whole.after), point
            deploy(camera, bundle, root)
            assert seen(camera) == whole.after, point
            restore(camera, root)
            assert seen(camera) == whole.before, point
            if way != "replace":
                assert held(camera)["/rom"] == image, point
