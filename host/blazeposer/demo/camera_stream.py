"""Run the virtual camera of the demo. The camera receives the board's scripts and the model, boots, sees the sequence
of images and streams poses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from blazeposer.camera import VirtualCamera, copy_to_camera, reset
from blazeposer.core.errors import BlazePoserError
from blazeposer.scene.sequence import Frame
from blazeposer.stream.record import Record, read_records


def stream(
    frames: Sequence[Frame], model: Path | None = None, stage: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[int, Record]]:
    """Yield the number and the streamed record of each frame once, in the order of arrival. The camera repeats the
    sequence. Therefore the frames that the camera saw before the PC was connected come last. `stage` is called with the
    name of each step before the first frame. Raises BlazePoserError, for example if the stream repeatedly loses the
    same frames.
    """
    count = len(frames)
    stage("starting the virtual camera")
    with VirtualCamera(lambda number: frames[number % count].picture) as camera:
        copy_to_camera(camera.port, model, progress=lambda name: stage(f"mpremote copies {name}"))
        stage("mpremote resets the camera, and main.py starts")
        reset(camera.port)
        missing = set(range(count))
        with closing(read_records(camera.port)) as records:
            for record in records:
                number = record.seq % count
                if number in missing:
                    missing.remove(number)
                    yield number, record
                if not missing:
                    return
                if record.seq >= 3 * count:
                    raise BlazePoserError(
                        f"the stream lost {len(missing)} frames in three attempts: run the demo again"
                    )


def line(number: int, frame: Frame, record: Record) -> str:
    """Return a text that describes a frame. Each line has at most 80 characters. The text has yaw, pitch, roll and err
    of each face, and the known angles."""
    faces = [" ".join(f"{angle:+6.1f}" for angle in face.angles) + f" err {face.err:.1f}" for face in record.faces]
    known = [" ".join(f"{angle:+6.1f}" for angle in person.angles) for person in frame.people]
    head = f"frame {number}: {len(faces)} of {len(known)} faces"
    if len(faces) == len(known) == 1:
        return f"{head}  {faces[0]}  known {known[0]}"
    return "\n".join([head, *(f"    {words}" for words in faces), *(f"    known {words}" for words in known)])
