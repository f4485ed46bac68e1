"""Send images to a real or virtual camera, and receive the network's raw outputs and the detected faces. An image is
sent as base64 text in several small messages, because long messages would need too much memory on the smallest camera.
Nothing is written to the camera's flash memory."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from blazeposer.camera import VirtualCamera
from blazeposer.core.contract import GRIDS, INPUT_SIZE, OUTPUTS, ROTATION_VALUES
from blazeposer.core.decode import decode
from blazeposer.core.errors import PortError
from blazeposer.core.face import Face, keypoints_of
from blazeposer.core.prepare import Image, to_rgb565
from blazeposer.core.resources import board_dir
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.deploy.bundle import MODEL
from blazeposer.deploy.camera import Camera, script
from blazeposer.evaluate.report import Section
from blazeposer.evaluate.validate.compare import SIZES, Limits, Seen, compare, raw_outputs
from blazeposer.openmv.mpremote import mpremote
from blazeposer.openmv.ports import Port
from blazeposer.tflite.interpreter import dequantized

PART = 4096
"""Number of bytes of an image in one message."""
PIXELS, DEGREES = (1e-3, 1e-3, 1e-3), (1e-2, 1e-2, 1e-2)
"""Largest allowed differences between the camera's decoder and the PC's decoder, for the median, the 95th percentile
and the worst face."""
DECODER_LIMITS = Limits("The board calculates boxes in whole numbers of 2^-20 pixels, and angles in floating point.",
                        pixels=PIXELS, degrees=DEGREES)  # fmt: skip
DECODER_TITLE = "Decoder: board/blazeposer.py / host, every anchor"
# Values for the decoder's own test: the quantization of a real file, and small and large angles of both signs.
QUANTIZATION = ((0.3, -36), (0.063, 0), (0.063, 0), (0.7, -46), (0.0126, 0), (0.0126, 0), (0.016, -128), (0.016, -128))
ANGLE_CASES = [(yaw, pitch, roll) for yaw in (-75, -20, 35) for pitch in (-30, 0, 25) for roll in (-50, 0, 15)]


@contextmanager
def virtual_camera(model: Path | None = None) -> Iterator[Camera]:
    """Yield a virtual camera that contains BlazePoser's decoder and the file `model`. Raises BlazePoserError if a
    virtual camera cannot run on this PC."""
    with VirtualCamera([np.zeros((8, 8, 3), np.uint8)]) as camera:
        copies = {name: board_dir() / name for name in ("blazeposer.py", "find_model.py")}
        copies |= {MODEL: model} if model else {}
        words = [word for name, path in copies.items() for word in ("fs", "cp", str(path), f":/flash/{name}", "+")]
        mpremote(camera.port, *words[:-1])
        yield Camera(Port(camera.port, virtual=True))


def see(camera: Camera, pictures: Sequence[Image], advance: Callable[[], None] = lambda: None) -> Seen:
    """Send images (128, 128, 3) to a camera, and return the outputs and the faces that the camera sends back. Raises
    PortError, for example if the camera does not contain the network and the scripts of this project."""
    sources = [script("pictures.py", SIDE=INPUT_SIZE)]
    for picture in pictures:
        data = to_rgb565(picture)
        parts = [base64.b64encode(data[start : start + PART]).decode() for start in range(0, len(data), PART)]
        sources += [f"put({part!r})" for part in parts]
        sources[-1] += "\nsee()"
    seen, received = Seen([], []), bytearray()

    def take(line: str) -> None:
        if line.startswith("["):
            faces = [_face(values, INPUT_SIZE) for values in json.loads(line)]
            seen.raw.append(raw_outputs(bytes(received)))
            seen.faces.append(faces)
            received.clear()
            advance()
        elif line:
            received.extend(binascii.a2b_base64(line, strict_mode=True))

    _run(camera, sources, take)
    if len(seen.faces) != len(pictures):
        raise _no_answer(camera)
    return seen


def decoded_on(camera: Camera, advance: Callable[[], None] = lambda: None) -> list[list[Face]]:
    """Run a camera's decoder once for each anchor, on artificial outputs with one face at this anchor. Raises
    PortError."""
    scales, zeros = zip(*QUANTIZATION, strict=True)
    faces: list[list[Face]] = []

    def take(line: str) -> None:
        faces.append([_face(values, 1) for values in json.loads(line)])
        advance()

    _run(camera, [script("anchors.py", SCALES=scales, ZEROS=zeros, SIZES=SIZES, ROTATIONS=_rotation_levels())], take)
    return faces


def _run(camera: Camera, sources: Sequence[str], take: Callable[[str], None]) -> None:
    """Run scripts on a camera, and call `take` with each line of their output. Raises PortError."""
    garbled = []

    def said(line: str) -> None:
        try:
            take(line)
        except (ValueError, TypeError, OverflowError, RecursionError):
            garbled.append(line)  # perhaps part of an error message, which mpremote reports at its end

    try:
        camera.run_scripts(sources, said)
    except PortError as error:
        if "ImportError" in str(error) or any("no file " in line for line in garbled):
            raise PortError(f"{camera.port.device} does not have BlazePoser: run `blazeposer deploy` first") from error
        raise
    if garbled:
        raise _no_answer(camera)


def _no_answer(camera: Camera) -> PortError:
    return PortError(
        f"{camera.port.device} sent an unreadable answer: check the cable, close OpenMV IDE, and run the command again"
    )


def decoded_here() -> list[list[Face]]:
    """Run the PC's decoder on the same artificial outputs as `decoded_on`."""
    raw = [np.zeros(output.shape, np.int8) for output in OUTPUTS]
    index = {output.name: number for number, output in enumerate(OUTPUTS)}
    rotations = _rotation_levels()
    faces, anchor = [], 0
    for grid in GRIDS:
        raw[index[f"scores_{grid.side}"]][:] = -128
    for grid in GRIDS:
        scores, regressors, six, errors = (
            raw[index[f"{kind}_{grid.side}"]][0] for kind in ("scores", "regressors", "rotation", "error")
        )
        for row in range(grid.count):
            scores[row] = 127
            regressors[row] = [40 if i in (2, 3) else (7 * anchor + 13 * i) % 41 - 20 for i in range(16)]
            six[row // grid.anchors] = rotations[anchor % len(rotations)]
            errors[row // grid.anchors] = anchor % 200 - 100
            faces.append(decode(dequantized(raw, QUANTIZATION)))
            scores[row] = -128
            anchor += 1
    return faces


def decoder_section(advance: Callable[[], None] = lambda: None) -> Section:
    """Compare the decoder of a virtual camera with the PC's decoder. Raises BlazePoserError."""
    here = decoded_here()
    with virtual_camera() as camera:
        there = decoded_on(camera, advance)
    difference = compare(Seen([], here), Seen([], there))
    breaches = difference.breaches(DECODER_LIMITS)
    cases = f"{len(here)} anchors, {len(ANGLE_CASES)} head poses, no network"
    finding = "; ".join(breaches) or "Both decoders return equal faces"
    if breaches:
        finding += f"; the largest difference is at anchor {difference.order[0]}"
    return Section(
        DECODER_TITLE,
        [f"{finding} ({cases}).", f"Tolerance: {DECODER_LIMITS}. {DECODER_LIMITS.reason}"],
        "failed" if breaches else "passed",
        {"breaches": breaches, "anchor": difference.order[0] if breaches else None},
    )


def _rotation_levels() -> list[list[int]]:
    """Return the six rotation values for each head pose in ANGLE_CASES, as int8 values."""
    scale, zero_point = QUANTIZATION[4]
    six = rotation_from_angles(ANGLE_CASES)[:, :2].reshape(-1, ROTATION_VALUES)
    return np.asarray((six / scale).round() + zero_point, int).tolist()


def _face(values: Sequence[Any], side: int) -> Face:
    """Make a face from the values that a camera sent. Lengths are in pixels of a square with the side `side`."""
    box, score, keypoints, angles, err = values
    x, y, w, h = (float(value) / side for value in box)
    yaw, pitch, roll = map(float, angles)
    return Face((x, y, w, h), float(score), keypoints_of(np.array(keypoints) / side), yaw, pitch, roll, float(err))
