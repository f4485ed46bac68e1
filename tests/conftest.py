"""Shared by the tests: the command line, the portrait, the network files and the data."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import serial
from hypothesis import HealthCheck, settings

import blazeposer
from blazeposer.camera import VirtualCamera, device
from blazeposer.camera.micropython import check_platform
from blazeposer.cli import main
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.deploy.bundle import MODEL, Bundle, make
from blazeposer.media.sources import read_image
from deploying import BOARD, FRAME, in_use
from reading import connect
from standin import standin

# A shell's background jobs ignore Ctrl-C and Ctrl-\, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGQUIT"):
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# Where $CI is set, the same examples each time. How long one takes depends on what else the PC does.
settings.register_profile(
    "blazeposer", derandomize="CI" in os.environ, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("blazeposer")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each process of pytest-xdist compute in one thread: there is one for each core."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ.setdefault(name, "1")


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep virtual cameras and backups apart from those of this PC's user and of other processes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BLAZEPOSER_RUNTIME", "XDG_DATA_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


class Run(NamedTuple):
    """The result of a command line."""

    status: int
    out: str
    err: str


CommandLine = Callable[..., Run]


@pytest.fixture
def blazeposer_command(capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs `blazeposer ARGUMENTS` in this process; what C libraries print is captured too."""

    def run(*arguments: str | int | Path) -> Run:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Run(status, *capfd.readouterr())

    return run


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a home folder without ~/.netrc, and no password of an MQTT broker in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BLAZEPOSER_MQTT_PASSWORD", raising=False)


@pytest.fixture(scope="session")
def portrait_path() -> Path:
    """A public-domain portrait, 512 x 512, one face."""
    return Path(blazeposer.__file__).parent / "scene" / "assets" / "portrait.jpg"


@pytest.fixture(scope="session")
def portrait(portrait_path: Path) -> Image:
    return read_image(portrait_path)


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The committed INT8 network."""
    return default_model()


@pytest.fixture(scope="session")
def float_model_path(model_path: Path) -> Path:
    """The committed float network."""
    return model_path.with_name("blazeposer_float.tflite")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the network, see `standin`."""
    path = tmp_path_factory.mktemp("model") / MODEL
    path.write_bytes(standin())
    return path


@pytest.fixture(scope="session")
def bundle(small_model: Path) -> Bundle:
    """The stand-in and the board's scripts, for any board."""
    return make(small_model)


@pytest.fixture(scope="session", autouse=True)
def hasty_flash() -> None:
    """Virtual cameras erase in a twentieth of the time that cameras take; what waits for them is as hasty."""
    device.PACE = 1 / 20


@pytest.fixture(scope="session")
def needs_virtual_camera() -> None:
    """Skips, with the reason, where the virtual camera cannot run."""
    try:
        check_platform()
    except BlazePoserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the training and evaluation data; the test is skipped where there is none."""
    if not (folder := os.environ.get("BLAZEPOSER_DATA")):
        pytest.skip("no data: BLAZEPOSER_DATA is not set")
    return Path(folder)


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    """A virtual camera with files of its own, as deploys find it. Other tests replace this fixture."""
    with VirtualCamera([FRAME], board=BOARD) as camera:
        in_use(camera)
        yield camera


@pytest.fixture
def link(camera: VirtualCamera) -> Iterator[serial.SerialBase]:
    """The camera's port, as a program on the PC opens it."""
    with connect(camera.port) as link:
        yield link
