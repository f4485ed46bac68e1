"""Draw the box, the keypoints, the head's axes, the angles and the expected error of each face on an image."""

from collections.abc import Sequence

import cv2
import numpy as np

from blazeposer.core.contract import ANGLES
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, Order, as_rgb

Color = tuple[int, int, int]

AXES: tuple[Color, Color, Color] = ((230, 50, 50), (60, 190, 60), (60, 110, 255))
"""Colours of the head's axes. The x axis (red) points to the person's left, the y axis (green) points up through the
top of the head, and the z axis (blue) points out of the face."""
ANGLE_COLORS: dict[str, Color] = dict(zip(ANGLES, (AXES[1], AXES[0], AXES[2]), strict=True))
"""Colour of each angle, which is the colour of the axis about which the head turns."""
BOX: Color = (255, 200, 0)
KEYPOINT: Color = (255, 255, 255)
OUTLINE: Color = (0, 0, 0)
"""Colour of the wider line under every line, which makes the lines visible on any background."""
LETTERS: Color = (255, 255, 255)
PLATE: Color = (0, 0, 0)

AXIS_LENGTH = 0.5
"""Length of a drawn axis that is parallel to the image, as a fraction of the box's width."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT_WIDTH = 1.2  # as a fraction of the box's width, but with letters of a limited size
_LETTER_SCALES = (0.5, 1.2)


def as_hex(color: Color) -> str:
    """Return a colour as text such as "#ffc800", which matplotlib and CSS understand."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def draw(image: object, faces: Sequence[Face], order: Order = "rgb") -> Image:
    """Draw faces on a copy of an image, and return the copy, a uint8 array (h, w, 3) with the same order of channels.
    The function expects the boxes and keypoints of `faces` in pixels of the image. Raises InputError if
    `prepare.as_rgb` does not accept the image."""
    canvas = as_rgb(image, order).copy()
    thickness = max(1, round(min(canvas.shape[:2]) / 250))
    for face in faces:
        _box(canvas, face, thickness)
        _keypoints(canvas, face, thickness)
        _axes(canvas, face, thickness)
    for face in faces:  # text is last, so that no lines of other faces cover the text
        _text(canvas, face, thickness)
    return canvas if order == "rgb" else np.ascontiguousarray(canvas[..., ::-1])


def _box(canvas: Image, face: Face, thickness: int) -> None:
    x, y, w, h = face.box
    for color, extra in ((OUTLINE, 2), (BOX, 0)):
        cv2.rectangle(canvas, _pixel(x, y), _pixel(x + w, y + h), color, thickness + extra, cv2.LINE_AA)


def _keypoints(canvas: Image, face: Face, thickness: int) -> None:
    for x, y in face.keypoints:
        for color, radius in ((OUTLINE, thickness + 2), (KEYPOINT, thickness + 1)):
            cv2.circle(canvas, _pixel(x, y), radius, color, cv2.FILLED, cv2.LINE_AA)


def _axes(canvas: Image, face: Face, thickness: int) -> None:
    """Draw the head's axes. The y axis of the image points down, but the y axis of the rotation matrix points up."""
    x, y = face.keypoints.nose
    directions = face.rotation.T * face.box[2] * AXIS_LENGTH
    for index in np.argsort(directions[:, 2]):  # the axis nearest to the viewer is on top
        tip = _pixel(x + directions[index, 0], y - directions[index, 1])
        for color, extra in ((OUTLINE, 2), (AXES[index], 0)):
            cv2.line(canvas, _pixel(x, y), tip, color, 2 * thickness + extra, cv2.LINE_AA)


def _text(canvas: Image, face: Face, thickness: int) -> None:
    """Write the angles and the expected error above the face's box, or below the box if there is no room above."""
    yaw, pitch, roll = face.angles
    angles, error = f"yaw {yaw:+.0f} pitch {pitch:+.0f} roll {roll:+.0f}", f"err {face.err:.1f}"
    height, width = canvas.shape[:2]
    unit, _ = cv2.getTextSize(angles, _FONT, 1.0, 1)[0]
    scale = min(float(np.clip(face.box[2] * _TEXT_WIDTH / unit, *_LETTER_SCALES)), 0.95 * width / unit)
    (w, h), rim = cv2.getTextSize(angles, _FONT, scale, thickness)
    w, h = w + 2 * rim, h + 2 * rim  # add the rim of the rectangle behind the text
    x, y, _, side = face.box
    y = y - 2 * h if y >= 2 * h else y + side
    left, top = _pixel(min(max(x, 0), width - w), min(max(y, 0), height - 2 * h))
    for line in (angles, error):
        w = cv2.getTextSize(line, _FONT, scale, thickness)[0][0] + 2 * rim
        cv2.rectangle(canvas, (left, top), (left + w, top + h), PLATE, cv2.FILLED)
        cv2.putText(canvas, line, (left + rim, top + h - rim), _FONT, scale, LETTERS, thickness, cv2.LINE_AA)
        top += h


def _pixel(x: float, y: float) -> tuple[int, int]:
    return round(float(x)), round(float(y))
