"""Read packed records, which are the binary form of a camera's records. `board/channel.py` publishes one packed record
for each frame, over OpenMV's Protocol V2. The byte order is little endian. A packed record has the same values as the
JSON line that `record.py` describes. A camera's packed records always have the same length, for any number of faces.
The bytes after the last face have no meaning."""

import struct
from typing import Any

from blazeposer.core.contract import ANGLES, BOX_VALUES, KEYPOINTS
from blazeposer.stream.record import VERSION

CHANNEL = "blazeposer"
HEAD = struct.Struct("<BBHHIQ4f")
"""Layout of the values at the start of a record. The values are version, number of faces, width, height, seq, t_ms,
fps, and the times for image, network and decoding in milliseconds."""
FACE = struct.Struct(f"<I{2 + BOX_VALUES + 2 * len(KEYPOINTS) + len(ANGLES)}f")
"""Layout of the values of a face. The values are id, score, err, box, keypoints and angles."""
_DIGITS = 2  # number of decimals, because a 32-bit float near 1000 is not more exact


def values(data: bytes) -> dict[str, Any] | None:
    """Convert a packed record to a dictionary with the keys of the JSON line. Return None if `data` is too short."""
    if not data or (data[0] == VERSION and len(data) < HEAD.size):
        return None
    if data[0] != VERSION:  # another version has another layout
        return {"v": data[0], "faces": []}
    version, count, width, height, seq, t_ms, fps, *ms = HEAD.unpack_from(data)
    if len(data) < HEAD.size + count * FACE.size:
        return None
    return {
        "v": version,
        "seq": seq,
        "t_ms": t_ms,
        "fps": round(fps, _DIGITS),
        "ms": [round(value, _DIGITS) for value in ms],
        "size": [width, height],
        "faces": [_face(*FACE.unpack_from(data, HEAD.size + n * FACE.size)) for n in range(count)],
    }


def _face(number: int, score: float, err: float, *numbers: float) -> dict[str, Any]:
    rounded = [round(value, _DIGITS) for value in numbers]
    return {
        "id": number,
        "score": round(score, _DIGITS + 1),
        "err": round(err, _DIGITS),
        "box": rounded[:BOX_VALUES],
        "keypoints": rounded[BOX_VALUES : -len(ANGLES)],
        **dict(zip(ANGLES, rounded[-len(ANGLES) :], strict=True)),
    }
