"""Draw the image docs/convention.jpg, which shows the signs of the three angles:  python docs/convention.py

tests/test_convention.py checks that the image, the network, the stream and every output use these signs.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from blazeposer.core.contract import ANGLES
from blazeposer.core.draw import ANGLE_COLORS, AXES, as_hex
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.scene.portrait import Portrait, load_portrait
from blazeposer.scene.sequence import SIDE, Angles, room

TURN = 25.0
"""Angle of each turned head, in degrees."""
SCALE = 1.85
NOSE = 4
"""Index of the tip of the nose in the points of the mesh."""
LENGTH = 105
"""Length in pixels of an axis that is parallel to the image."""
COLORS = {name: as_hex(color) for name, color in ANGLE_COLORS.items()}
"""Colour of each angle. An angle has the colour of the axis about which it turns the head."""
POSITIVE = ("to the picture's left", "up", "clockwise")
NEGATIVE = ("to the picture's right", "down", "anticlockwise")
ARROWS = {  # in the straight head's pixels: from, to, where its name is, how far it bends
    "yaw": ((318, 400), (148, 400), (233, 400), -0.28),
    "pitch": ((376, 300), (376, 180), (430, 240), 0.28),
    "roll": ((150, 82), (318, 82), (234, 82), -0.28),
}
COLUMNS, ROWS = (75, 405), (390, 60)
"""Columns of the small images from left to right, and their rows from bottom to top."""
_EDGE = [withStroke(linewidth=3, foreground="white")]


def write(path: Path) -> None:
    """Write a JPEG file that shows a straight head with its axes, and turned heads beside it.

    The axes are drawn from the known rotation. No network is used.
    """
    portrait = load_portrait()
    with mpl.rc_context({"font.size": 10.5, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(12, 5.15), dpi=100, layout="constrained")
        panels = figure.subplot_mosaic("0abc;0def", width_ratios=(2.12, 1, 1, 1))
        _head(panels["0"], portrait, (0.0, 0.0, 0.0))
        _label_axes(panels["0"], portrait)
        panels["0"].set_title("yaw, pitch and roll 0; arrows: the positive way", weight="bold")
        for sign, row, words in ((1, "abc", POSITIVE), (-1, "def", NEGATIVE)):
            for index, (name, word) in enumerate(zip(ANGLES, words, strict=True)):
                yaw, pitch, roll = (sign * TURN * np.eye(3)[index]).tolist()
                panel = panels[row[index]]
                _head(panel, portrait, (yaw, pitch, roll))
                panel.set(xlim=COLUMNS, ylim=ROWS, xlabel=word)
                panel.set_title(f"{name} {sign * TURN:+.0f}°", weight="bold", color=COLORS[name])
        figure.savefig(path, format="jpeg", pil_kwargs={"quality": 88})


def _head(panel: Axes, portrait: Portrait, angles: Angles) -> None:
    """Draw the head at known angles, with its axes."""
    scene, middle = room().copy(), (SIDE / 2, SIDE / 2)
    portrait.paste(scene, angles, SCALE, middle)
    panel.imshow(scene)
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
    x, y = portrait.placed(angles, SCALE, middle)[NOSE, :2]
    rotation = rotation_from_angles(angles)
    for axis in np.argsort(rotation[2]):  # the one nearest to the viewer on top
        right, up = rotation[:2, axis] * LENGTH
        color = tuple(np.array(AXES[axis]) / 255)
        if np.hypot(right, up) < 1:  # straight at the viewer
            panel.plot(x, y, "o", color=color, markersize=8, markeredgecolor="white")
        else:
            panel.annotate("", (x + right, y - up), (x, y), arrowprops={
                "arrowstyle": "-|>", "color": color, "linewidth": 2.4, "shrinkA": 0, "shrinkB": 0,
                "path_effects": [withStroke(linewidth=4.4, foreground="white")],
            })  # fmt: skip


def _label_axes(panel: Axes, portrait: Portrait) -> None:
    """Write the names of the axes, and of the rotations about them."""
    x, y = portrait.placed((0.0, 0.0, 0.0), SCALE, (SIDE / 2, SIDE / 2))[NOSE, :2]
    for words, place, color in (
        ("x", (x + LENGTH + 12, y), COLORS["pitch"]),
        ("y", (x, y - LENGTH - 14), COLORS["yaw"]),
        ("z, to the viewer", (x, y + 22), COLORS["roll"]),
    ):
        panel.text(*place, words, color=color, weight="bold", ha="center", va="center", path_effects=_EDGE)
    for name, (start, end, place, bend) in ARROWS.items():
        panel.annotate("", end, start, arrowprops={
            "arrowstyle": "-|>", "color": COLORS[name], "linewidth": 3, "mutation_scale": 20,
            "connectionstyle": f"arc3,rad={bend}", "path_effects": [withStroke(linewidth=5.5, foreground="white")],
        })  # fmt: skip
        panel.text(*place, f"+ {name}", color=COLORS[name], weight="bold", ha="center", va="center", path_effects=_EDGE)


if __name__ == "__main__":
    write(Path(__file__).with_suffix(".jpg"))
