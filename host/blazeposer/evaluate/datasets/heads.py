"""The demo's textured head, turned by known angles, where no data set is at hand. The box is that of 68 landmarks.

It is one person, drawn: a place to compare conditions and systems, not to measure how accurate a network is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blazeposer.core.prepare import Image
from blazeposer.evaluate.datasets.common import Dataset, Sample
from blazeposer.evaluate.peers.canonical import load_canonical
from blazeposer.scene.portrait import load_portrait
from blazeposer.scene.sequence import Frame, frames

NAME = "the demo's head"
STEP = 3
"""Every third frame."""


def read() -> Dataset:
    """34 pictures of 480x480 with one head."""
    portrait, landmarks = load_portrait(), load_canonical().landmarks
    single = [frame for frame in frames() if len(frame.people) == 1][::STEP]
    samples = []
    for number, frame in enumerate(single):
        (person,) = frame.people
        points = portrait.placed(person.angles, person.scale, person.middle)[landmarks, :2]
        box = np.concatenate([points.min(0), points.max(0)])
        samples.append(Sample(f"head {number}", _picture(frame), box[None], np.array([person.angles])))
    return Dataset(NAME, samples)


def _picture(frame: Frame) -> Callable[[], Image]:
    return lambda: frame.picture
