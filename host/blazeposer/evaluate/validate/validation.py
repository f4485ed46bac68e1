"""Run all checks of `blazeposer validate`. Each check becomes a section of the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from blazeposer.core.contract import GRIDS
from blazeposer.core.errors import ModelError
from blazeposer.evaluate.report import Section, Table
from blazeposer.evaluate.validate import board, golden
from blazeposer.evaluate.validate.compare import Seen, compare, layers_apart, pair_section
from blazeposer.evaluate.validate.pictures import Pictures
from blazeposer.evaluate.validate.stages import PAIRS, NotRun, Pair, Stage, Stages, companion
from blazeposer.tflite.manifest import read_manifest

BOARD_PICTURES = 24
"""Largest number of images for the stages `board` and `camera`. Each image takes up to a second."""
KEYS = tuple(dict.fromkeys(key for pair in PAIRS for key in (pair.first, pair.second)))
ANCHORS = sum(grid.count for grid in GRIDS)

Progress = Callable[[str, int], Callable[[], None]]
"""Function that gets the name of a part of the work and the number of steps in this part. The function returns another
function, which is called after each step."""


@dataclass(frozen=True)
class Run:
    """The results of one stage for the images with the indices `numbers`."""

    stage: Stage
    numbers: list[int]
    seen: Seen
    seconds: float

    def of(self, numbers: Sequence[int]) -> Seen:
        at = [self.numbers.index(number) for number in numbers]
        return Seen([self.seen.raw[i] for i in at], [self.seen.faces[i] for i in at])


@dataclass
class Validation:
    """The validation of a network. `sections` raises BlazePoserError if an available stage does not work."""

    stages: Stages
    pictures: Pictures
    progress: Progress
    without: Sequence[str] = ()
    runs: dict[str, Run] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Reason for each stage that was not run."""

    def sections(self) -> list[Section]:
        for key in sorted(KEYS, key="camera".__ne__):  # the camera first, so that a loose cable is noticed at once
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
        return [self._manifest(), self._golden(), *pairs, self._decoder(), self._stages(), self._remarks()]

    def _run(self, stage: Stage) -> Run:
        count = len(self.pictures.given)
        shown = min(count, BOARD_PICTURES) if stage.key in ("board", "camera") else count
        numbers: list[int] = np.linspace(0, count - 1, shown).round().astype(int).tolist()
        tensors = [self.pictures.given[number].tensor for number in numbers]
        started = monotonic()
        return Run(stage, numbers, stage.see(tensors, self.progress(stage.title, shown)), monotonic() - started)

    def _pair(self, pair: Pair) -> Section:
        for key in (pair.first, pair.second):
            if key in self.missing:
                return _not_run(f"{pair.first} / {pair.second}", self.missing[key])
        first, second = self.runs[pair.first], self.runs[pair.second]
        numbers = [number for number in second.numbers if number in first.numbers]
        difference = compare(first.of(numbers), second.of(numbers))
        worst = numbers[difference.order[0]]
        given, apart = self.pictures.given[worst], None
        if first.stage.trace and second.stage.trace:
            int8 = (first.stage.is_int8, second.stage.is_int8)
            traces = (first.stage.trace(given.tensor), second.stage.trace(given.tensor))
            apart = layers_apart(*traces, self.stages.layers, int8=int8)
        faces = (first.of([worst]).faces[0], second.of([worst]).faces[0])
        return pair_section(pair, (first.stage, second.stage), difference, given, faces, apart)

    def _manifest(self) -> Section:
        """Compare the scales and zero points in a network file with the values in its manifest. The decoders do not
        read the manifest, so a wrong manifest does not change the detected faces."""
        title = "The file and its manifest"
        try:
            other = self.stages.layers.unlike(read_manifest(self.stages.model))
        except ModelError as error:
            return Section(title, [str(error)], "failed")
        finding = f"{other[0]} has a different quantization in the manifest" if other else "The values are equal."
        rule = "Tolerance: none, for each layer's scale, zero point and steps of weights (float32)."
        return Section(title, [finding, rule], "failed" if other else "passed", {"layers": other})

    def _golden(self) -> Section:
        try:
            vectors = golden.read(companion(self.stages.model, golden.SUFFIX))
        except NotRun as reason:
            return _not_run(golden.TITLE, str(reason))
        except ModelError as error:
            return Section(golden.TITLE, [str(error)], "failed")
        return golden.check(vectors, self.stages.network, self.stages.layers)

    def _decoder(self) -> Section:
        if "board" in self.missing:
            return _not_run(board.DECODER_TITLE, self.missing["board"])
        return board.decoder_section(self.progress("every anchor through the board's decoder", ANCHORS))

    def _stages(self) -> Section:
        rows = [
            [key, run.stage.title, str(len(run.numbers)), str(sum(map(len, run.seen.faces))), f"{run.seconds:.1f} s"]
            for key, run in self.runs.items()
        ]
        rows += [[key, f"not run: {reason}", "-", "-", "-"] for key, reason in self.missing.items()]
        head = ("stage", "kind", "images", "faces", "time")
        return Section("Stages", [Table(head, rows)], data={"not_run": self.missing})

    def _remarks(self) -> Section:
        count, remarks = len(self.pictures.given), self.pictures.remarks
        text = f"{self.pictures.source}: {count} used, {sum(item.is_left_out for item in remarks)} left out."
        rows = [[item.name, "left out" if item.is_left_out else "used", item.text] for item in remarks]
        tables = [Table(("file", "", "remark"), rows)] if rows else []
        return Section("Images", [text, *tables], data={"remarks": rows})


def _not_run(title: str, reason: str) -> Section:
    return Section(title, [f"Not run: {reason}."], "not run")
