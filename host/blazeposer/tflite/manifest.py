"""Read and write the manifest of a network: a JSON file with the network's properties, memory and measured accuracy.
The manifest of `models/blazeposer.tflite` is `models/blazeposer.json`. `blazeposer quantize` writes the manifest, and
`blazeposer evaluate --record` adds the measured accuracy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from blazeposer.core import contract
from blazeposer.core.errors import ModelError

NOT_MEASURED = "not measured"
FIGURES = ("aflw2000_dev", "biwi_dev", "detection", "aflw2000", "biwi", "wider", "frames_per_second")
"""Names of the results in every manifest. A result that was not measured also has an entry."""

Quantization = dict[str, float | int]


@dataclass(frozen=True)
class Manifest:
    """The content of a manifest. Sizes are in bytes. `quantization` is empty for a float network."""

    file: str
    sha256: str
    file_bytes: int
    payload_bytes: int
    """Size of the weights and biases."""
    parameters: int
    macs: int
    """Multiply-accumulates for one image."""
    arena_bytes: int
    """Working memory, as TensorFlow Lite Micro counts it on a 64-bit PC."""
    ops: dict[str, int]
    """Number of operations of each kind."""
    input: dict[str, Any]
    outputs: list[dict[str, Any]]
    quantization: dict[str, Quantization]
    """Quantization of each activation tensor, by its name in the training code."""
    weight_scales: dict[str, list[float]]
    """Quantization steps of each convolution's weights, one for each output channel. The zero points are 0."""
    training: dict[str, Any]
    figures: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(FIGURES, NOT_MEASURED))
    anchor_grids: list[dict[str, int]] = field(default_factory=lambda: [asdict(grid) for grid in contract.GRIDS])
    regressor_unit: int = contract.REGRESSOR_UNIT
    keypoints: list[str] = field(default_factory=lambda: list(contract.KEYPOINTS))
    angles: list[str] = field(default_factory=lambda: list(contract.ANGLES))
    angle_convention: str = contract.ANGLE_CONVENTION


def describe(
    model: Path,
    quantization: Mapping[str, tuple[float, int]],
    weight_scales: Mapping[str, list[float]],
    **facts: Any,
) -> Manifest:
    """Return the manifest of a new tflite file. `facts` are the fields of the manifest that this function cannot
    compute."""
    data = model.read_bytes()
    return Manifest(
        file=model.name,
        sha256=hashlib.sha256(data).hexdigest(),
        file_bytes=len(data),
        input=_input(bool(quantization)),
        outputs=[_output(output.name, output.shape, quantization.get(output.name)) for output in contract.OUTPUTS],
        quantization={name: _named(*values) for name, values in quantization.items()},
        weight_scales={name: [_shortest(scale) for scale in scales] for name, scales in weight_scales.items()},
        **facts,
    )


def manifest_path(model: Path) -> Path:
    return model.with_suffix(".json")


def write_manifest(manifest: Manifest, model: Path) -> None:
    lines = (f"  {json.dumps(name)}: {_compact(value)}" for name, value in asdict(manifest).items())
    manifest_path(model).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_manifest(model: Path) -> Manifest:
    """Return the manifest of a tflite file. Raises ModelError if the manifest does not agree with the tflite file or
    with `core/contract.py`."""
    path = manifest_path(model)
    remake = "make network and manifest again with `blazeposer quantize`"
    try:
        data = model.read_bytes()
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read ({error.strerror}): {remake}") from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {remake}") from error
    names = {item.name for item in fields(Manifest)}
    if not isinstance(values, dict) or set(values) != names:
        odd = names ^ set(values) if isinstance(values, dict) else names
        raise ModelError(f"{path}: a manifest of another version (it differs in {', '.join(sorted(odd))}): {remake}")
    manifest = Manifest(**values)
    if manifest.sha256 != hashlib.sha256(data).hexdigest():
        raise ModelError(f"{path} does not describe this {model.name} (sha256 differs): {remake}")
    expected = describe(model, {}, {}, **dict.fromkeys(_FACTS))
    for name in ("file", "file_bytes", "anchor_grids", "regressor_unit", "keypoints", "angles", "angle_convention"):
        if getattr(manifest, name) != getattr(expected, name):
            raise ModelError(f"{path}: the value of {name} is wrong for this version of blazeposer: {remake}")
    return manifest


def record_figures(model: Path, figures: Mapping[str, Any]) -> None:
    """Write measured results into the manifest of a tflite file. Raises ModelError."""
    manifest = read_manifest(model)
    write_manifest(replace(manifest, figures=manifest.figures | dict(figures)), model)


_FACTS = ("payload_bytes", "parameters", "macs", "arena_bytes", "ops", "training")


def _input(int8: bool) -> dict[str, Any]:
    shape = [1, contract.INPUT_SIZE, contract.INPUT_SIZE, 3]
    if not int8:
        return {"shape": shape, "dtype": "float32", "value": "pixel / 127.5 - 1, RGB"}
    quantization = _named(contract.INPUT_SCALE, contract.INPUT_ZERO_POINT)
    return {"shape": shape, "dtype": "int8", **quantization, "value": "q = pixel - 128, RGB"}


def _output(name: str, shape: tuple[int, ...], quantization: tuple[float, int] | None) -> dict[str, Any]:
    output = {"name": name, "shape": list(shape), "dtype": "int8" if quantization else "float32"}
    return output | (_named(*quantization) if quantization else {})


def _named(scale: float, zero_point: int) -> Quantization:
    return {"scale": _shortest(scale), "zero_point": zero_point}


def _shortest(scale: float) -> float:
    """Return the shortest decimal number that equals `scale` after rounding to float32."""
    return float(str(np.float32(scale)))


def _compact(value: Any) -> str:
    """Return a value as JSON. If the value is a dictionary or a list of dictionaries, each element has its own line."""
    if isinstance(value, dict) and value:
        rows = (f"    {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items())
        return "{\n" + ",\n".join(rows) + "\n  }"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"    {json.dumps(item)}" for item in value) + "\n  ]"
    return json.dumps(value)
