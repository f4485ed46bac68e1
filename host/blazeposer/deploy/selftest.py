"""Make the file that the camera's self-test `board/selftest.py` reads. The file contains an image, and the outputs that
the network computes from the image on a PC.

The file is compressed with zlib. The uncompressed file begins with a line of JSON that lists the faces found on the PC.
Then come the image, and the network's raw int8 outputs in the order of `core/contract.py`. The image has 64 x 64 pixels
with shades of grey from 0 to 15. Each byte contains two pixels. The camera doubles the image's width and height before
the network runs.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.decode import decode
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image, rgb565
from blazeposer.tflite.interpreter import open_network

_WINDOW_BITS = 10  # the camera needs 1 KB of memory to unpack the file


def _stored() -> Image:
    """Return the image of the self-test as a uint8 array (64, 64) with values from 0 to 15."""
    gray = cv2.imread(str(Path(__file__).parent / "face.png"), cv2.IMREAD_GRAYSCALE)  # from the demo's portrait (NASA)
    assert gray is not None
    return np.asarray(gray // 17, np.uint8)


def picture() -> Image:
    """Return the image that the network gets in the self-test (128, 128, 3)."""
    gray = np.kron(_stored() * 17, np.ones((2, 2), np.uint8))
    assert gray.shape == (INPUT_SIZE, INPUT_SIZE)
    return rgb565(np.repeat(gray[..., None], 3, axis=2))


def make(model: Path) -> bytes:
    """Return the self-test file for a network that is not compiled for an NPU. Raises ModelError."""
    network = open_network(model)
    outputs = network.run(picture())
    faces = [face.moved(0, 0, INPUT_SIZE, INPUT_SIZE) for face in decode(network.outputs(picture()))]
    golden = [
        {"box": [round(value, 3) for value in face.box], "angles": [round(angle, 3) for angle in face.angles]}
        for face in faces
    ]
    stored = _stored()
    pairs = stored[:, 0::2] << 4 | stored[:, 1::2]
    data = json.dumps(golden).encode() + b"\n" + pairs.tobytes() + b"".join(output.tobytes() for output in outputs)
    compressor = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS)
    return compressor.compress(data) + compressor.flush()


def judge(result: dict[str, Any], *, virtual: bool) -> str:
    """Return a summary of a self-test's result (see `state.read_self_test`). Raises BlazePoserError if the self-test
    failed. On a virtual camera, the self-test also fails if an output byte differs from the byte on the PC. On a real
    camera, small differences are allowed."""
    equal, total, largest, passed = (result[name] for name in ("equal", "bytes", "largest", "passed"))
    faces, expected = len(result["faces"]), len(result["expected"])
    told = f"{faces} of {expected} faces, {equal} of {total} bytes equal, largest difference {largest}"
    if not passed or (virtual and equal != total):
        raise BlazePoserError(f"the self-test failed ({told}): run `blazeposer restore` to undo the deploy")
    return told
