"""Make and check golden vectors. A golden vector consists of an image, the INT8 network's outputs for this image, and
the faces that the decoder finds in these outputs. The page `docs/golden.md` explains the files and their use."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import INPUT_SIZE, OUTPUTS
from blazeposer.core.decode import decode
from blazeposer.core.errors import InputError, ModelError
from blazeposer.core.prepare import Image, camera_input
from blazeposer.core.resources import refuse_installed
from blazeposer.deploy import selftest
from blazeposer.evaluate.report import Section, Table
from blazeposer.evaluate.validate.compare import raw_outputs
from blazeposer.evaluate.validate.layers import Layers, Trace
from blazeposer.media.output import make_folder, write_image
from blazeposer.media.sources import read_image
from blazeposer.scene.sequence import frames
from blazeposer.tflite.interpreter import Network, dequantized, open_network

SUFFIX = "_golden"
"""Suffix of the folder with the golden vectors, which is beside the network's file."""
TITLE = "Golden vectors / the INT8 file and the host's decoder"
FACE_DIGITS = 3
"""Number of decimals of pixels and degrees in a stored face."""
FACE_TOLERANCE = 2e-3
_FILE = "golden.json"
_FRAMES = {"turned": 18, "raised": 29, "tilted": 50, "group": 107}
"""Indices of four frames of the demo. The frames show a head with yaw -35 degrees, pitch 20 degrees or roll -30
degrees, and a group of three people."""
_REMAKE = "make them with `blazeposer golden MODEL`"

Sums = dict[str, list[int]]
"""Two sums of integers for each layer. They do not depend on the order of the values in memory."""


@dataclass(frozen=True)
class Vector:
    """An RGB image (128, 128, 3) and the network's results for this image."""

    picture: Image
    outputs: list[NDArray[np.int8]]
    layers: Sums
    """Sum and sum of squares of each layer's int8 output."""
    faces: list[dict[str, Any]]


@dataclass(frozen=True)
class Golden:
    vectors: dict[str, Vector]
    quantization: tuple[tuple[float, int], ...]
    """Scale and zero point of each output."""
    constants: Sums
    """Sum of the int8 weights and sum of the int32 biases of each convolution."""


def pictures() -> dict[str, Image]:
    """Return the golden images: a portrait photo, heads from the demo and the face of the self-test."""
    with as_file(files("blazeposer.scene") / "assets" / "portrait.jpg") as path:
        portrait = read_image(path)
    heads = {name: camera_input(frames()[number].picture) for name, number in _FRAMES.items()}
    return {"portrait": camera_input(portrait), **heads, "selftest": selftest.picture()}


def make(model: Path) -> Golden:
    """Return the golden vectors of an INT8 network, computed with LiteRT's reference kernels. Raises ModelError."""
    network, layers = open_network(model), Layers(model)
    levels = layers.tracer("reference", real=False)
    vectors = {}
    for name, picture in pictures().items():
        outputs = network.run(picture)
        vectors[name] = Vector(picture, outputs, _sums(levels(picture)), faces_of(outputs, network.quantization))
    return Golden(vectors, network.quantization, _constants(layers))


def faces_of(outputs: Sequence[NDArray[np.int8]], quantization: Sequence[tuple[float, int]]) -> list[dict[str, Any]]:
    """Return the faces for JSON. Lengths are in pixels of the network's input, and angles in degrees."""
    faces = [face.moved(0, 0, INPUT_SIZE, INPUT_SIZE) for face in decode(dequantized(outputs, quantization))]
    return [
        {
            "box": [round(value, FACE_DIGITS) for value in face.box],
            "score": round(face.score, 4),
            "keypoints": face.points.round(FACE_DIGITS).tolist(),
            "angles": [round(angle, FACE_DIGITS) for angle in face.angles],
            "err": round(face.err, FACE_DIGITS),
        }
        for face in faces
    ]


def write_beside(model: Path) -> Path:
    """Write a network's golden vectors to a folder beside it, and return the folder. Raises ModelError if the network
    is damaged or is part of the installed package. Raises InputError if the folder cannot be written."""
    refuse_installed(model)
    folder = model.with_name(model.stem + SUFFIX)
    write(make(model), folder)
    return folder


def write(golden: Golden, folder: Path) -> None:
    make_folder(folder)
    described = [
        {"name": output.name, "shape": output.shape, "scale": scale, "zero_point": zero_point}
        for output, (scale, zero_point) in zip(OUTPUTS, golden.quantization, strict=True)
    ]
    vectors = {name: {"faces": vector.faces, "layers": vector.layers} for name, vector in golden.vectors.items()}
    text = json.dumps({"outputs": described, "constants": golden.constants, "vectors": vectors}, indent=1)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda numbers: " ".join(numbers[0].split()), text)  # a list on one line
    try:
        for name, vector in golden.vectors.items():
            write_image(folder / f"{name}.png", vector.picture)
            (folder / f"{name}.bin").write_bytes(b"".join(output.tobytes() for output in vector.outputs))
        (folder / _FILE).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}): choose a model in another folder") from error


def read(folder: Path) -> Golden:
    """Read golden vectors from a folder. Raises ModelError."""
    try:
        values = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        quantization = tuple((float(row["scale"]), int(row["zero_point"])) for row in values["outputs"])
        vectors = {
            name: Vector(read_image(folder / f"{name}.png"), raw_outputs((folder / f"{name}.bin").read_bytes()),
                         dict(entry["layers"]), list(entry["faces"]))
            for name, entry in values["vectors"].items()
        }  # fmt: skip
        return Golden(vectors, quantization, dict(values["constants"]))
    except FileNotFoundError as error:
        raise ModelError(f"{error.filename}: no golden vectors: {_REMAKE}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise ModelError(f"{folder}: these golden vectors are damaged: {_REMAKE}") from error


def check(golden: Golden, network: Network, layers: Layers) -> Section:
    """Compare the results of an INT8 network and of the PC's decoder with the golden vectors. The caller opens
    `network` with LiteRT's reference kernels, which calculate in integers."""
    found = _constants(layers)
    wrong = [name for name, pair in golden.constants.items() if found.get(name) != pair]
    breaches = [f"{wrong[0]}: its weights or biases differ from the golden values"] if wrong else []
    levels = layers.tracer("reference", real=False)
    rows = []
    for name, vector in golden.vectors.items():
        outputs = network.run(vector.picture)
        written = _sums(levels(vector.picture))
        parted = next((layer for layer, pair in vector.layers.items() if written.get(layer) != pair), "")
        differing = sum(int((ours != theirs).sum()) for ours, theirs in zip(outputs, vector.outputs, strict=True))
        decoded = _are_same(faces_of(vector.outputs, golden.quantization), vector.faces)
        if parted or differing:
            breaches.append(f"{name}: {differing:,} outputs differ, first at layer {parted or '(outputs)'}")
        if not decoded:
            breaches.append(f"{name}: the host's decoder finds other faces in the golden outputs")
        rows.append([name, f"{differing:,}", parted or "-", str(len(vector.faces)), "same" if decoded else "DIFFERENT"])
    if network.quantization != golden.quantization:
        breaches.append("scales or zero points of the outputs differ from the golden values")
    head = ("image", "outputs that differ", "first layer that differs", "faces", "decoded from golden outputs")
    summary = (
        "; ".join(breaches) or f"All outputs, layers and faces of {len(rows)} images are equal to the stored values."
    )
    rule = (
        f"Tolerance: none for the network, because its reference kernels calculate in integers; {FACE_TOLERANCE:g} px "
        "and degrees for the decoder, because the stored faces are rounded. For each layer, the sum and the sum of "
        "squares of its integers are compared, and for each convolution also the sums of its weights and of its biases."
    )
    data = {"breaches": breaches, "layers_with_other_constants": wrong}
    return Section(TITLE, [summary, rule, Table(head, rows)], "failed" if breaches else "passed", data)


def _are_same(faces: list[dict[str, Any]], stored: list[dict[str, Any]]) -> bool:
    """Return True if both lists have the same number of faces, and no value differs by more than FACE_TOLERANCE."""
    if len(faces) != len(stored):
        return False
    numbers = [[np.ravel(face[key]) for face in many for key in face] for many in (faces, stored)]
    pairs = list(zip(*numbers, strict=False))
    return all(a.shape == b.shape and np.allclose(a, b, rtol=0, atol=FACE_TOLERANCE) for a, b in pairs)


def _sums(levels: Trace) -> Sums:
    return {name: [int(q.sum(dtype=np.int64)), int(np.square(q, dtype=np.int64).sum())] for name, q in levels.items()}


def _constants(layers: Layers) -> Sums:
    return {name: [int(part.sum(dtype=np.int64)) for part in parts] for name, parts in layers.constants().items()}
