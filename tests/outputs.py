"""Raw outputs as a network would give them, and the faces that the camera's and the host's decoder find in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeposer.core import contract
from blazeposer.core.face import Face
from blazeposer.core.rotation import rotation_from_angles

Outputs = list[NDArray[np.int8]]
Quantization = Sequence[tuple[float, int]]

# Of the size that a real file has; the two score maps differ, as they do there.
QUANTIZATION = ((0.45, 3), (0.05, 20), (0.08, -12), (0.6, -7), (0.0085, 1), (0.0091, -2), (0.016, -128), (0.018, -120))


def synthetic_outputs(seed: int, faces: int = 3, quantization: Quantization = QUANTIZATION) -> Outputs:
    """Raw outputs as a network would give them for some faces: groups of anchors that agree, over a background."""
    rng = np.random.default_rng(seed)
    centres, cells = contract.anchors(), contract.cell_of_anchor()
    scores = rng.normal(-5, 1, len(centres))
    regressors = rng.normal(0, 8, (len(centres), contract.REGRESSOR_VALUES))
    six = rng.normal(0, 0.5, (cells.max() + 1, contract.ROTATION_VALUES))
    for face in range(faces):
        middle = np.array([0.2 + 0.6 * face / max(faces - 1, 1), rng.uniform(0.25, 0.75)])
        size = rng.uniform(0.12, 0.3)
        near = np.linalg.norm(centres - middle, axis=1) < 0.35 * size
        near[np.argmin(np.linalg.norm(centres - middle, axis=1))] = True
        scores[near] = rng.uniform(-2, 5, near.sum())
        points = rng.uniform(-0.4, 0.4, (8, 2)) * size + middle
        values = (np.tile(points[None], (near.sum(), 1, 1)) - centres[near, None]) * contract.REGRESSOR_UNIT
        values[:, 0] = (middle - centres[near]) * contract.REGRESSOR_UNIT
        values[:, 1] = size * contract.REGRESSOR_UNIT
        regressors[near] = values.reshape(near.sum(), -1) + rng.normal(0, 0.8, (near.sum(), 16))
        rotation = rotation_from_angles(rng.uniform([-99, -40, -60], [99, 40, 60]))
        six[np.unique(cells[near])] = rotation[:2].ravel()
    six = six + rng.normal(0, 0.02, six.shape)
    first, split = contract.GRIDS[0].count, contract.GRIDS[0].cells
    tensors = (
        regressors[:first], scores[:first], scores[first:], regressors[first:], six[:split], six[split:],
        *np.split(np.log(rng.uniform(1, 60, len(six))), [split]),
    )  # fmt: skip
    return [
        np.clip(np.round(v.reshape(o.shape) / scale) + zero, -128, 127).astype(np.int8)
        for v, o, (scale, zero) in zip(tensors, contract.OUTPUTS, quantization, strict=True)
    ]


def dequantized(raw: Outputs, quantization: Quantization = QUANTIZATION) -> list[NDArray[np.float32]]:
    return [
        (tensor.astype(np.float32) - zero) * np.float32(scale)
        for tensor, (scale, zero) in zip(raw, quantization, strict=True)
    ]


def assert_same(found: Any, expected: list[Face], pixels: float = 0.1, degrees: float = 0.1) -> None:
    """Faces of the board (or of its stream) are those of the host, in the same order."""
    assert len(found) == len(expected)
    for face, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.box, reference.box, rtol=0, atol=pixels)
        np.testing.assert_allclose(np.reshape(face.keypoints, (6, 2)), reference.keypoints, rtol=0, atol=pixels)
        turn = (np.array(face.angles) - reference.angles + 180) % 360 - 180
        np.testing.assert_allclose(turn, 0, atol=degrees)
        np.testing.assert_allclose(face.score, reference.score, rtol=0, atol=0.006)
        np.testing.assert_allclose(face.err, reference.err, rtol=0, atol=min(degrees, 0.051))  # one decimal
