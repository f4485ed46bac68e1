"""Run all checks of `blazeposer validate`, each a section of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from blazeposer.core.contract import ANGLES, GRIDS
from blazeposer.core.errors import ModelError
from blazeposer.core.face import Face
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.metrics import Scores, score
from blazeposer.evaluate.plots import picture_of
from blazeposer.evaluate.report import Picture, Section, Table
from blazeposer.evaluate.validate import board, golden, plots
from blazeposer.evaluate.validate.compare import Seen, compare
from blazeposer.evaluate.validate.pairs import layers_apart, pair_section
from blazeposer.evaluate.validate.pictures import Pictures
from blazeposer.evaluate.validate.stages import PAIRS, NotRun, Pair, Stage, Stages, companion
from blazeposer.tflite.manifest import read_manifest

BOARD_PICTURES = 24
"""The number of images, evenly spread, that go through the serial port to the board's scripts: up to a second each."""
KEYS = tuple(dict.fromkeys(key for pair in PAIRS for key in (pair.first, pair.second)))
ANCHORS = sum(grid.count for grid in GRIDS)

Progress = Callable[[str, int], Callable[[], None]]
"""Told of a part of the work and its number of steps; what it gives is called after each step."""


@dataclass(frozen=True)
class Run:
    """A stage, and what it made of the images with these numbers."""

    stage: Stage
    numbers: list[int]
    seen: Seen
    seconds: float

    def of(self, numbers: Sequence[int]) -> Seen:
        """Return the results for some of them."""
        at = [self.numbers.index(number) for number in numbers]
        return Seen([self.seen.raw[i] for i in at], [self.seen.faces[i] for i in at])


@dataclass
class Validation:
    """Runs the stages of a network on images. `sections` raises BlazePoserError where one that is there does not
    work."""

    stages: Stages
    pictures: Pictures
    progress: Progress
    without: Sequence[str] = ()
    """Stages to leave out."""
    runs: dict[str, Run] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Stage -> why it was not run."""

    def sections(self) -> list[Section]:
        """Every check, in the order of the report."""
        for key in sorted(KEYS, key="camera".__ne__):  # it first: what is wrong with its cable shows at once
            if key in self.without:
                self.missing[key] = "left out by --without"
                continue
            try:
                self.runs[key] = self._run(self.stages.open(key))
            except NotRun as reason:
                self.missing[key] = str(reason)
        self.runs = {key: self.runs[key] for key in KEYS if key in self.runs}
        advance = self.progress("comparing, layer by layer", len(PAIRS))
        pairs = []
        for pair in PAIRS:
            pairs.append(self._pair(pair))
            advance()
        return [
            self._manifest(), self._golden(), *pairs, self._decoder(), *self._accuracy(),
            self._stages(), self._remarks(),
        ]  # fmt: skip

    def _run(self, stage: Stage) -> Run:
        count = len(self.pictures.given)
        chosen = np.arange(count)
        if stage.is_on_board and count > BOARD_PICTURES:
            chosen = np.linspace(0, count - 1, BOARD_PICTURES).round().astype(int)
        numbers: list[int] = chosen.tolist()
        started = monotonic()
        seen = stage.see(
            [self.pictures.given[number].tensor for number in numbers], self.progress(stage.title, len(numbers))
        )
        return Run(stage, numbers, seen, monotonic() - started)

    def _pair(self, pair: Pair) -> Section:
        for key in (pair.first, pair.second):
            if key in self.missing:
                return Section(f"{pair.first} / {pair.second}", [f"Not run: {self.missing[key]}."], "not run")
        first, second = self.runs[pair.first], self.runs[pair.second]
        numbers = [number for number in second.numbers if number in first.numbers]
        difference = compare(first.of(numbers), second.of(numbers))
        worst = numbers[difference.order[0]]
        given, apart = self.pictures.given[worst], None
        if first.stage.trace and second.stage.trace:
            traces = (first.stage.trace(given.tensor), second.stage.trace(given.tensor))
            int8 = (first.stage.is_int8, second.stage.is_int8)
            apart = layers_apart(*traces, self.stages.layers, int8=int8)
        stages = (first.stage, second.stage)
        return pair_section(pair, stages, difference, (given, first.of([worst]), second.of([worst])), apart)

    def _manifest(self) -> Section:
        """Scales and zero points of the file as its manifest has them, which board and host do not read."""
        title, model = "The file and its manifest", self.stages.model
        try:
            manifest = read_manifest(model)
        except ModelError as error:
            return Section(title, [str(error)], "failed")
        other = self.stages.layers.unlike(manifest)
        finding = f"{other[0]} has another quantization than in the manifest" if other else "They say the same."
        rule = "Tolerance: none, for each layer's scale, zero point and steps of weights (float32)."
        return Section(title, [finding, rule], "failed" if other else "passed", {"layers": other})

    def _golden(self) -> Section:
        title = golden.TITLE
        try:
            vectors = golden.read(companion(self.stages.model, golden.SUFFIX))
        except NotRun as reason:
            return Section(title, [f"Not run: {reason}."], "not run")
        except ModelError as error:
            return Section(title, [str(error)], "failed")
        return golden.check(vectors, self.stages.network, self.stages.layers)

    def _decoder(self) -> Section:
        if "board" in self.missing:
            return Section(board.DECODER_TITLE, [f"Not run: {self.missing['board']}."], "not run")
        return board.decoder_section(self.progress("every anchor through the board's decoder", ANCHORS))

    def _accuracy(self) -> list[Section]:
        """Against labels, where there are any: of every stage that saw all images."""
        labelled = [number for number, given in enumerate(self.pictures.given) if len(given.boxes)]
        if not labelled:
            return []
        rule = self.pictures.rule
        truth = np.concatenate([self.pictures.given[number].angles for number in labelled])
        scores: dict[str, Scores] = {}
        for run in self.runs.values():
            if len(run.numbers) == len(self.pictures.given):
                found: list[Face | None] = []
                for number in labelled:
                    faces = run.seen.faces[number]
                    found += [rule.choose(faces, box) for box in self.pictures.given[number].boxes]
                scores[run.stage.title] = score(found, rotation_from_angles(truth), truth)
        rows = []
        for title, result in scores.items():
            figures = result.as_dict()
            values = [*(figures["mae"][name] for name in (*ANGLES, "mean")), figures["geodesic"]]
            shown = ["-" if value is None else f"{value:.2f}" for value in values]
            rows.append([title, f"{figures['found']} of {figures['faces']}", *shown])
        table = Table(("stage", "found", *ANGLES, "MAE", "geodesic"), rows, "Degrees, on the faces that were found.")
        text = f"Found: {rule.text}. Labels: {self.pictures.source}."
        chart = picture_of(plots.by_angle(scores), "mean absolute error by labelled yaw")
        data = {"stages": {title: result.as_dict() for title, result in scores.items()}}
        return [Section("Error by angle, against the labels", [text, table, chart], data=data)]

    def _stages(self) -> Section:
        rows = [
            [key, run.stage.title, str(len(run.numbers)), str(sum(map(len, run.seen.faces))), f"{run.seconds:.1f} s"]
            for key, run in self.runs.items()
        ]
        rows += [[key, f"not run: {reason}", "-", "-", "-"] for key, reason in self.missing.items()]
        head = ("stage", "what it is", "pictures", "faces", "time")
        return Section("Stages", [Table(head, rows)], data={"not_run": self.missing})

    def _remarks(self) -> Section:
        count, remarks = len(self.pictures.given), self.pictures.remarks
        text = f"{self.pictures.source}: {count} used, {sum(item.is_left_out for item in remarks)} left out."
        rows = [[item.name, "left out" if item.is_left_out else "used", item.text] for item in remarks]
        parts: list[str | Table | Picture] = [text]
        if rows:
            parts.append(Table(("file", "", "what is odd about it"), rows))
        return Section("Pictures", parts, data={"remarks": rows})
