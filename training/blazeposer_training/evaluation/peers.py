"""How accurate BlazePoser and its peers are on the same labelled faces, found by the same rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track

from blazeposer.decode import Face
from blazeposer.peers import Peer

from .datasets import Dataset
from .metrics import Scores, score


@dataclass(frozen=True)
class Comparison:
    """Scores of several systems on the same faces, by their names."""

    scores: dict[str, Scores]

    @property
    def shared(self) -> dict[str, Scores]:
        """The same on the faces that all of them found."""
        found = np.all([scores.found for scores in self.scores.values()], axis=0)
        return {name: scores.of(found) for name, scores in self.scores.items()}


def compare(systems: Sequence[Peer], dataset: Dataset) -> Comparison:
    """Scores of `systems` on every face of a data set with poses; each sees the whole picture, padded to a square."""
    found: dict[str, list[Face | None]] = {system.name: [] for system in systems}
    for sample in track(dataset.samples, description=dataset.name, console=Console(stderr=True)):
        picture = sample.load()
        for system in systems:
            faces = system(picture)
            found[system.name] += [dataset.rule.choose(faces, box) for box in sample.boxes]
    return Comparison({name: score(faces, dataset.rotations, dataset.angles) for name, faces in found.items()})
