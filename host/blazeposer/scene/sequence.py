"""Define the demo's sequence of synthetic images and the exact angles of every head. The sequence is the same in every
run."""

from dataclasses import dataclass
from functools import cache, cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.prepare import Image
from blazeposer.scene.portrait import FACE_POINTS, load_portrait

Angles = tuple[float, float, float]

SIDE = 480
"""Side of a frame in pixels. Frames are square, because the window of the board's scripts is square."""
YAW, PITCH, ROLL = 35.0, 20.0, 30.0
"""Largest angles of the head in both directions, in degrees."""
SWEEPS = ((24, 0), (20, 1), (22, 2))
"""Number of frames of each movement in which only one angle changes, and the index of this angle."""
COMBINED = 36
"""Number of frames in which all three angles change, each with a different speed."""
SEATS = {  # middle of each head as fractions of the square window, and scale of the portrait
    2: ((0.27, 0.44, 1.35), (0.74, 0.40, 1.30)),
    3: ((0.22, 0.26, 1.10), (0.78, 0.26, 1.10), (0.50, 0.66, 1.20)),
    4: ((0.25, 0.24, 1.10), (0.76, 0.24, 1.10), (0.24, 0.73, 1.12), (0.75, 0.73, 1.12)),
}
GROUP_FRAMES = 4
"""Number of frames for each group size (two, three and four people)."""
GESTURE_RATE = 20
"""Number of frames per second of the gestures."""
GESTURES = ((1, 15.0, 1.0), (0, 22.0, 0.8))
"""Nod and shake of the head, each with the index of its angle, the amplitude in degrees, and the movements per
second."""
GESTURE_SECONDS, STILL_SECONDS = 3, 1
"""Duration of each gesture, and of the rests before and after each gesture, in seconds."""


@dataclass(frozen=True)
class Person:
    """A person in a frame of the demo. The attribute `middle` is the position of the head's middle in the frame, in
    pixels. The attribute `scale` is the head's size in the frame, divided by the head's size in the portrait."""

    angles: Angles
    middle: tuple[float, float]
    scale: float

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """The box (x, y, width, height) around all points of the face's mesh."""
        points = load_portrait().placed(self.angles, self.scale, self.middle)[:FACE_POINTS, :2]
        (x, y), (w, h) = points.min(0).tolist(), np.ptp(points, axis=0).tolist()
        return x, y, w, h


@dataclass(frozen=True)
class DemoFrame:
    """One frame of the demo and its people. People are drawn in the order of `people`, so a later person can cover an
    earlier person. The attribute `picture` is an array (480, 480, 3) of uint8 in RGB order."""

    people: tuple[Person, ...]

    @cached_property
    def picture(self) -> Image:
        picture = room().copy()
        for person in self.people:
            load_portrait().paste(picture, person.angles, person.scale, person.middle)
        return picture


@cache
def frames() -> tuple[DemoFrame, ...]:
    """Return the frames of the demo's sequence. First, one person turns the head by one angle at a time, and then by
    all three angles at once. Then two, three and four people are visible. The last frame shows an empty room."""
    limits = np.array([YAW, PITCH, ROLL])
    angles = []
    for count, axis in SWEEPS:
        turn = np.zeros((count, 3))
        turn[:, axis] = limits[axis] * np.sin(np.linspace(0, 2 * np.pi, count, endpoint=False))
        angles.append(turn)
    time = np.linspace(0, 2 * np.pi, COMBINED, endpoint=False)[:, None]
    angles.append(limits * np.sin(time * [1, 2, 3]))
    single = [_single(turn, number) for number, turn in enumerate(np.concatenate(angles))]
    groups = [_group(count, number) for count in SEATS for number in range(GROUP_FRAMES)]
    return (*single, *groups, DemoFrame(()))


def gestures() -> tuple[DemoFrame, ...]:
    """Return frames of a person who first nods and then shakes the head, for a video with `GESTURE_RATE` frames per
    second."""
    still = np.zeros((STILL_SECONDS * GESTURE_RATE, 3))
    parts = [still]
    for axis, degrees, rate in GESTURES:
        turn = np.zeros((GESTURE_SECONDS * GESTURE_RATE, 3))
        turn[:, axis] = degrees * np.sin(2 * np.pi * rate * np.arange(len(turn)) / GESTURE_RATE)
        parts += [turn, still]
    return tuple(_single(turn, 0) for turn in np.concatenate(parts))


def _single(turn: NDArray[np.float64], number: int) -> DemoFrame:
    """Return a frame of one person with the angles `turn`. The person's place and distance depend on `number`."""
    sway = np.sin(2 * np.pi * number / np.array([37.0, 53.0, 71.0]))
    middle = (SIDE / 2 + 14 * sway[0], SIDE * 0.46 + 8 * sway[1])
    return DemoFrame((Person(_angles(turn), middle, 1.85 + 0.15 * sway[2]),))


def _group(count: int, number: int) -> DemoFrame:
    people = []
    for seat, (x, y, scale) in enumerate(SEATS[count]):
        phase = number * 0.55 + seat * 1.9 + count
        turn = np.array([YAW, PITCH, ROLL]) * np.sin(phase * np.array([1.0, 1.4, 1.7])) * 0.85
        people.append(Person(_angles(turn), (x * SIDE, y * SIDE), scale))
    return DemoFrame(tuple(people))


def _angles(turn: NDArray[np.float64]) -> Angles:
    yaw, pitch, roll = (round(float(angle), 2) for angle in turn)
    return yaw, pitch, roll


@cache
def room() -> Image:
    fall = np.linspace(1.08, 0.78, SIDE)[:, None, None] * np.linspace(1.05, 0.85, SIDE)[None, :, None]
    room = (fall * [196, 188, 176]).clip(0, 255).astype(np.uint8)
    sky = np.linspace([150, 190, 230], [225, 235, 240], 300).astype(np.uint8)
    room[30:330, :134] = sky[:, None]
    for x in (39, 134):
        cv2.line(room, (x, 30), (x, 330), (240, 240, 236), 10)
    for y in (30, 180, 330):
        cv2.line(room, (0, y), (134, y), (240, 240, 236), 10)
    books = np.random.default_rng(7)
    colours = books.integers(70, 190, (15, 1)) + books.integers(-22, 23, (15, 3))
    for shelf, top in enumerate((60, 190, 320)):
        for book in range(5):
            x, height = 354 + 24 * book, 70 + (book * 29 + shelf * 17) % 32
            cv2.rectangle(room, (x, top + 105 - height), (x + 20, top + 105), colours[shelf * 5 + book].tolist(), -1)
        cv2.rectangle(room, (344, top + 105), (SIDE, top + 117), (120, 86, 58), cv2.FILLED)
    cv2.rectangle(room, (0, 438), (SIDE, SIDE), (110, 92, 78), cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(room, (0, 0), 5), np.uint8)
