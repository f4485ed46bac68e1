"""Shared by the tests of deploys: a camera in use, a small bundle, and the true content of the camera."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy import deployment
from blazeposer.deploy.bundle import MODEL, Bundle
from blazeposer.deploy.camera import SUFFIX, Advance
from blazeposer.deploy.deployment import CameraStatus, Outcome
from blazeposer.deploy.plan import Plan, Store
from blazeposer.deploy.state import State
from blazeposer.openmv import romfs

BOARD = "h7"
FRAME = np.full((240, 320, 3), 90, np.uint8)
"""A grey image for cameras whose image does not matter."""
MAIN = b"import time\nwhile True:\n    print('mine')\n    time.sleep_ms(50)\n"
STOCK = {"haarcascade_frontalface.cascade": bytes(range(256)) * 12, "models/person.tflite": b"\x07\x1f" * 1500}
"""Stands for what a camera has in ROMFS when it is bought."""


class Silent:
    """A `deployment.Guide` that agrees to everything and remembers what it was told."""

    def __init__(self, staged: Callable[[str], None] = lambda _: None) -> None:
        self._staged = staged
        self.plan: Plan | None = None
        self.notes: list[str] = []

    def stage(self, words: str, total: int = 0) -> Advance:
        self._staged(words)
        return lambda _: None

    def note(self, words: str) -> None:
        self.notes.append(words)

    def consent(self, state: State, plan: Plan) -> bool:
        self.plan = plan
        return True


def in_use(camera: VirtualCamera) -> None:
    """Give a camera files of its owner and stock models."""
    drive = camera.folder / list(camera.device.drives)[-1]
    (drive / "main.py").write_bytes(MAIN)
    (drive / "notes.txt").write_text("keep me")
    camera.device.burn(romfs.pack(STOCK, camera.device.board.romfs_align))
    camera.reset()


def deploy(
    camera: VirtualCamera,
    bundle: Bundle,
    root: Path,
    to: Store | None = None,
    guide: Silent | None = None,
    patience: float | None = None,
) -> Outcome:
    with deployment.connected(camera.port, root) as asked:
        if patience:
            asked.patience = patience
        outcome = deployment.deploy(asked, lambda _: bundle, to, root, guide or Silent())
    assert outcome is not None
    return outcome


def fails(camera: VirtualCamera, bundle: Bundle, root: Path, **options: object) -> str:
    """Return the line in which a deploy ends."""
    with pytest.raises(BlazePoserError) as raised:
        deploy(camera, bundle, root, **options)  # type: ignore[arg-type]
    line = str(raised.value)
    assert "\n" not in line
    assert "Traceback" not in line
    return line


def restore(camera: VirtualCamera, root: Path, backup: Path | None = None) -> Outcome:
    with deployment.connected(camera.port, root) as asked:
        outcome = deployment.restore(asked, backup, root, Silent())
    assert outcome is not None
    return outcome


def status(camera: VirtualCamera, bundle: Bundle, root: Path) -> CameraStatus:
    with deployment.connected(camera.port, root) as asked:
        return deployment.status(asked, lambda _: bundle, root)


def held(camera: VirtualCamera) -> dict[str, bytes]:
    """Every byte on a camera: its files, and the ROMFS partition as far as an image reaches (all if there is none)."""
    contents = {
        f"/{path.relative_to(camera.folder).as_posix()}": path.read_bytes()
        for drive in camera.device.drives
        for path in (camera.folder / drive).rglob("*")
        if path.is_file()
    }
    partition = camera.device.rom.read_bytes()
    contents["/rom"] = partition[: romfs.stated_length(partition)] or partition.rstrip(b"\xff")
    return contents


def seen(camera: VirtualCamera) -> dict[str, object]:
    """Return a script's view of a camera: its files, and those of ROMFS wherever they lie (None if it is empty)."""
    contents: dict[str, object] = dict(held(camera))
    try:
        contents["/rom"] = {path: file.data for path, file in romfs.read(camera.device.rom.read_bytes()).items()}
    except ValueError:
        contents["/rom"] = None
    return contents


def truth(camera: VirtualCamera, bundle: Bundle, before: object, after: object) -> dict[str, set[str]]:
    """Return the words that `status` may use of each path; `before` and `after` are the files in ROMFS."""
    contents = seen(camera)
    items = {}
    for name, data in bundle.scripts.items():
        found = contents.get(path := f"/{list(camera.device.drives)[-1]}/{name}")
        items[path] = {"missing" if found is None else "same" if found == data else "differs"}
    items.update((path, {"half-written"}) for path in contents if path.endswith(SUFFIX))
    rom = contents["/rom"]
    if rom not in (before, after) or not isinstance(rom, dict):
        return items | {"/rom": {"damaged", "half-written"}}
    model = rom.get(MODEL)
    return items | {f"/rom/{MODEL}": {"missing" if model is None else "same" if model == bundle.model else "differs"}}
