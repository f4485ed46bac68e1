"""The cable pulled in every stage of a deploy: `status` tells the truth, a second one completes, `restore` undoes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy.bundle import MODEL, Bundle, make
from deploying import FRAME, STOCK, Silent, deploy, held, in_use, restore, seen, status, truth
from standin import standin

CUTS = 50
SEED = 6
RESET = 300  # bytes at least with which mpremote resets a camera
WORKERS = 2
WAYS = {"append": "nicla", "replace": "rt1062", "rewrite": "h7"}
"""Board by how ROMFS changes: the H7's is one block, erased at once, of which nothing survives a cut."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bundle(small_model: Path) -> Bundle:
    return make(small_model)


@pytest.fixture
def cameras(
    needs_virtual_camera: None, way: str, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[VirtualCamera]]:
    with ExitStack() as stack:
        cameras = [stack.enter_context(VirtualCamera([FRAME], board=WAYS[way])) for _ in range(WORKERS)]
        for camera in cameras:
            in_use(camera)
            if way == "replace":
                older = replace(bundle, files={**bundle.files, MODEL: standin(ballast=500)})
                deploy(camera, older, tmp_path_factory.mktemp("older"))
        yield cameras


def stages(camera: VirtualCamera, bundle: Bundle, root: Path) -> list[tuple[str, int]]:
    """How many bytes pass the link in each stage of a deploy."""
    names: list[str] = []
    passed: list[int] = []

    def staged(name: str) -> None:
        names.append(name)
        passed.append(camera.traffic)

    deploy(camera, bundle, root, guide=Silent(staged))
    passed.append(camera.traffic)
    return [(name, end - start) for name, start, end in zip(names, passed, passed[1:], strict=False)]


def cut_points(parts: list[tuple[str, int]]) -> list[int]:
    """Seeded: the same number in every stage, however short it is."""
    generator = random.Random(SEED)
    points, start = [], 0
    for number, (_, length) in enumerate(parts):
        count = CUTS // len(parts) + (number < CUTS % len(parts))
        reach = length if number < len(parts) - 1 else RESET  # then comes the stream, as long as it is
        points += [start + generator.randrange(1, reach) for _ in range(count)]
        start += length
    return points


@pytest.mark.slow
def test_cuts_at_every_stage(cameras: list[VirtualCamera], way: str, bundle: Bundle, tmp_path: Path) -> None:
    original, image = seen(cameras[0]), held(cameras[0])["/rom"]
    parts = stages(cameras[0], bundle, tmp_path / "reference")
    assert [name for name, _ in parts] == [
        "asking the camera",
        "saving what is replaced",
        "writing",
        "reading back",
        "self-test on the camera",
        "waiting for the stream",
    ]
    deployed = seen(cameras[0])
    assert deployed["/rom"] == {**STOCK, MODEL: bundle.model}
    restore(cameras[0], tmp_path / "reference")
    assert seen(cameras[0]) == original
    free: Queue[VirtualCamera] = Queue()
    for camera in cameras:
        free.put(camera)

    def cut(number: int, point: int) -> str:
        """What went wrong, if anything."""
        camera = free.get()
        root = tmp_path / str(number)
        try:
            camera.unplug_after(point)
            try:
                deploy(camera, bundle, root, patience=3)
                return f"{point}: was not cut"
            except BlazePoserError as error:
                if "\n" in str(error) or "Traceback" in str(error):
                    return f"{point}: {error}"
            camera.plug_in()
            said = status(camera, bundle, root)
            expected = truth(camera, bundle, original["/rom"], deployed["/rom"])
            if any(said.items.get(path) not in words for path, words in expected.items()):
                return f"{point}: status says {said.items}, true is {expected}"
            if said.is_deployed != (seen(camera) == deployed):
                return f"{point}: status says deployed {said.is_deployed}"
            deploy(camera, bundle, root)
            if seen(camera) != deployed:
                return f"{point}: the second deploy did not complete"
            restore(camera, root)
            if seen(camera) != original:
                return f"{point}: restore did not bring back the original files"
            if way != "replace" and held(camera)["/rom"] != image:
                return f"{point}: restore did not bring back the original bytes"
        finally:
            camera.plug_in()
            free.put(camera)
        return ""

    points = cut_points(parts)
    assert len(points) == CUTS
    with ThreadPoolExecutor(WORKERS) as pool:
        failures = [failure for failure in pool.map(cut, range(len(points)), points) if failure]
    assert failures == []
