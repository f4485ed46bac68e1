"""`blazeposer camera` runs a virtual camera until Ctrl-C."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

import click

from blazeposer.camera.sensor import Frames
from blazeposer.camera.showing import Words
from blazeposer.camera.virtual import BOARD, FIRMWARES, VirtualCamera
from blazeposer.commands.options import BOARD_NAMES
from blazeposer.core.ending import awaited
from blazeposer.core.errors import InputError
from blazeposer.core.text import say
from blazeposer.media.sources import Frame, Source, open_source
from blazeposer.scene.sequence import frames as demo_frames

_LOOK = 0.5  # seconds between two checks whether the camera has failed


@click.command()
@click.argument("source", required=False)
@click.option(
    "--port",
    type=click.Path(path_type=Path),
    help="Path of the virtual camera's port, which other programs open.  [default: chosen by the system]",
)
@click.option("--board", default=BOARD, show_default=True, help=f"Board that the camera imitates: {BOARD_NAMES}.")
@click.option("--card", is_flag=True, help="Give the virtual camera an SD card.")
@click.option("--firmware", type=click.Choice(list(FIRMWARES)), default="5.0", show_default=True,
              help="Firmware that the camera imitates.")  # fmt: skip
@click.option("--gray", is_flag=True, help="Imitate a sensor without colour.")
def camera(source: str | None, port: Path | None, board: str, card: bool, firmware: str, gray: bool) -> None:
    """Start a virtual camera that sees the images of SOURCE in a loop.

    SOURCE is an image, a folder of images, a video or the index of a webcam. Without SOURCE, the virtual camera sees
    the turning head of `blazeposer demo`.

    At the start, the virtual camera's flash memory is empty. `blazeposer deploy` finds the virtual camera in the same
    way as a camera on USB. The virtual camera's port is a pseudo-terminal that only your user account can open.
    """
    heads = () if source else demo_frames()
    frames = frames_of(source) if source else lambda number: heads[number % len(heads)].picture
    with (
        awaited() as ended,
        VirtualCamera(frames, port, gray=gray, version=FIRMWARES[firmware], board=board, card=card) as virtual,
    ):
        say(virtual.port)
        say(
            f"Try `mpremote connect {virtual.port} fs ls`, or another program for serial ports. Ctrl-C ends the camera."
        )
        say("The next lines show how scripts use the LEDs, pins, buses, screen and files of the camera.")
        virtual.device.listeners.append(Words(virtual.device, say).heard)
        while virtual.is_running and not ended.wait(_LOOK):
            pass


def frames_of(source: str) -> Frames:
    """Return a function that returns an image for each frame number. After the last image of a folder or video, the
    first image follows again. Raises InputError if the first frame of `source` cannot be read."""
    opened = open_source(source)
    if opened.kind in ("image", "folder"):
        pictures = list(opened.frames)
        pictures[0].read()
        return lambda number: pictures[number % len(pictures)].read()
    # A video or webcam cannot go back, so each request gets the next frame, whatever number is requested.
    playing = chain(_to_the_end(opened), chain.from_iterable(_to_the_end(open_source(source)) for _ in count()))
    rest = (frame.read() for frame in playing)
    stream = chain([next(rest)], rest)
    return lambda _: next(stream)


def _to_the_end(opened: Source) -> Iterator[Frame]:
    """Yield the frames. From an incomplete video, yield only the frames that can be read."""
    with suppress(InputError):
        yield from opened.frames
