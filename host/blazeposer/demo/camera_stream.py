"""Run the demo's virtual camera. The virtual camera runs the network on a sequence of images and streams head poses."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from blazeposer.camera import VirtualCamera, copy_to_camera, reset
from blazeposer.core.errors import BlazePoserError
from blazeposer.scene.sequence import DemoFrame
from blazeposer.stream.record import Record, read_records


def stream(frames: Sequence[DemoFrame], stage: Callable[[str], None] = lambda _: None) -> Iterator[tuple[int, Record]]:
    """Yield the number of each frame, and the record that the camera streams for the frame. If the camera processed a
    frame before the PC connected, the frame's record arrives later, when the camera repeats the sequence. The function
    `stage` gets the name of each preparation step. Raises BlazePoserError, for example if frames are missing after
    three repetitions."""
    count = len(frames)
    stage("starting the virtual camera")
    with VirtualCamera(lambda number: frames[number % count].picture) as camera:
        copy_to_camera(camera.port, progress=lambda name: stage(f"mpremote copies {name}"))
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


def line(number: int, frame: DemoFrame, record: Record) -> str:
    """Return lines of at most 80 characters. The lines show the angles and expected errors of the found faces, and the
    true angles of the people in the frame."""
    faces = [" ".join(f"{angle:+6.1f}" for angle in face.angles) + f" err {face.err:.1f}" for face in record.faces]
    known = [" ".join(f"{angle:+6.1f}" for angle in person.angles) for person in frame.people]
    head = f"frame {number}: {len(faces)} of {len(known)} faces"
    if len(faces) == len(known) == 1:
        return f"{head}  {faces[0]}  known {known[0]}"
    return "\n".join([head, *(f"    {words}" for words in faces), *(f"    known {words}" for words in known)])
