"""Draw the demo's image and video, with the streamed faces and a plot of the streamed and true angles."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from blazeposer.core.contract import ANGLES
from blazeposer.core.draw import ANGLE_COLORS, draw
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.demo.compare import Found, PoseAgreement, match
from blazeposer.scene.sequence import PITCH, ROLL, SIDE, YAW, DemoFrame

Color = tuple[int, int, int]
WIDTH, MARGIN, GAP = 1240, 20, 12
TILES = 4
TILE = (WIDTH - 2 * MARGIN - (TILES - 1) * GAP) // TILES
PAPER: Color = (250, 250, 252)
INK: Color = (36, 40, 48)
PALE: Color = (214, 217, 224)
KNOWN: Color = (150, 155, 166)
LIMITS = (YAW, PITCH, ROLL)
POSES = ((YAW, 0, 0), (-YAW, 0, 0), (0, PITCH, 0), (0, -PITCH, 0), (0, 0, ROLL), (-YAW, -PITCH / 2, -ROLL / 2))
"""Poses for the demo's image. For each pose, the image shows the frame with the nearest pose."""
LANE = 96
NOTE = 240
"""`LANE` is the height of a row of the plot, and `NOTE` is the width of the notes beside the row. Both are in
pixels."""
TITLE = "As streamed by the virtual camera"
LEGEND = "grey: known   coloured: streamed   dots: frames with several faces   off: mean difference in degrees"
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def picture(frames: Sequence[DemoFrame], found: Found, results: Mapping[str, PoseAgreement]) -> Image:
    """Return the demo's image (h, 1240, 3), with some annotated frames and a plot of the angles of every frame."""
    tiles = [_tile(frames[number], found[number]) for number in chosen(frames, found)]
    rows = [_row(tiles[start : start + TILES]) for start in range(0, len(tiles), TILES)]
    plot = angle_plot(frames, found, WIDTH - 2 * MARGIN, results)
    framed = cv2.copyMakeBorder(plot, GAP, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=PAPER)
    banner = np.full((46, WIDTH, 3), PAPER, np.uint8)
    text(banner, TITLE, (MARGIN, 30), 0.56, INK)
    text(banner, LEGEND, (WIDTH - MARGIN, 30), 0.42, KNOWN, align=1)
    return np.vstack([banner, *rows, framed]).astype(np.uint8)


def chosen(frames: Sequence[DemoFrame], found: Found) -> list[int]:
    """Select some streamed frames for the demo's image, and return the frame numbers."""
    single = [number for number in sorted(found) if len(frames[number].people) == 1]
    numbers = [
        min(single, key=lambda number: float(np.abs(np.subtract(frames[number].people[0].angles, pose)).sum()))
        for pose in POSES
    ]
    return numbers + [next(n for n in sorted(found) if len(frames[n].people) == people) for people in (2, 4)]


def angle_plot(
    frames: Sequence[DemoFrame], found: Found, width: int, results: Mapping[str, PoseAgreement] | None = None
) -> Image:
    """Return a plot of true angles (grey) and streamed angles (coloured). If `results` is given, notes beside
    the plot show the correlations and mean differences in `results`."""
    plot = np.full((3 * LANE, width, 3), PAPER, np.uint8)
    left, right = 74, width - (NOTE if results else 10)
    pairs = {number: match(frames[number], faces) for number, faces in found.items()}
    alone = [number for number in sorted(found) if len(frames[number].people) == 1]
    for axis, ((name, color), limit) in enumerate(zip(ANGLE_COLORS.items(), LIMITS, strict=True)):
        middle = axis * LANE + LANE // 2

        def at(number: int, angle: float, middle: int = middle, scale: float = LANE * 0.4 / limit) -> tuple[int, int]:
            x = left + (right - left) * number / max(1, len(frames) - 1)
            return round(x), round(middle - max(-LANE / 2, min(LANE / 2, angle * scale)))

        for angle in (-limit, 0.0, limit):
            cv2.line(plot, at(0, angle), at(len(frames) - 1, angle), PALE, 1)
            text(plot, f"{angle:+.0f}" if angle else "0", (left - 8, at(0, angle)[1] + 4), 0.38, KNOWN, align=1)
        text(plot, name, (0, middle + 5), 0.5, color)
        for values, shade, thickness in ((0, KNOWN, 3), (1, color, 2)):
            lines = np.array([at(n, pairs[n][0][values].angles[axis]) for n in alone if pairs[n]], np.int32)
            cv2.polylines(plot, [lines.reshape(-1, 1, 2)], False, shade, thickness, cv2.LINE_AA)
        for number in set(found) - set(alone):
            for person, face in pairs[number]:
                cv2.circle(plot, at(number, person.angles[axis]), 4, KNOWN, 1, cv2.LINE_AA)
                cv2.circle(plot, at(number, face.angles[axis]), 2, color, cv2.FILLED, cv2.LINE_AA)
        for line, (faces, result) in enumerate((results or {}).items()):
            numbers = f"r {result.correlation[name]:.3f}, off {result.difference[name]:.1f}"
            text(plot, f"{faces}: {numbers}", (right + 16, middle - 4 + 22 * line), 0.42, INK if line else color)
    return plot


def video_pages(frames: Sequence[DemoFrame], found: Found) -> Iterator[Image]:
    """Yield the frames (768, 480, 3) of the demo's video: an annotated image above a plot that grows."""
    seen: dict[int, Sequence[Face]] = {}
    for number in sorted(found):
        seen[number] = found[number]
        yield np.vstack([draw(frames[number].picture, found[number]), angle_plot(frames, seen, SIDE)])


def text(image: Image, words: str, place: tuple[int, int], size: float, color: Color, align: float = 0) -> None:
    """Draw text in the image. The text starts at `place` if `align` is 0, is centred there if `align` is 0.5, and ends
    there if `align` is 1."""
    width = cv2.getTextSize(words, _FONT, size, 1)[0][0]
    cv2.putText(image, words, (round(place[0] - align * width), place[1]), _FONT, size, color, 1, cv2.LINE_AA)


def _tile(frame: DemoFrame, faces: Sequence[Face]) -> Image:
    """Return an annotated frame with a caption below it: the true angles of a single head, or the number of heads."""
    image = cv2.resize(draw(frame.picture, faces), (TILE, TILE), interpolation=cv2.INTER_AREA)
    caption = np.full((26, TILE, 3), PAPER, np.uint8)
    words = f"{len(frame.people)} faces, {len(faces)} found"
    if len(frame.people) == 1:
        pairs = zip(ANGLES, frame.people[0].angles, strict=True)
        words = "known: " + "  ".join(f"{name} {angle:+.0f}" for name, angle in pairs)
    text(caption, words, (TILE // 2, 17), 0.42, INK, align=0.5)
    return np.vstack([image, caption]).astype(np.uint8)


def _row(tiles: Sequence[Image]) -> Image:
    row = np.full((tiles[0].shape[0], WIDTH, 3), PAPER, np.uint8)
    for place, tile in enumerate(tiles):
        left = MARGIN + place * (TILE + GAP)
        row[:, left : left + TILE] = tile
    return row
