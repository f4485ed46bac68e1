"""Draw plots of a recorded session."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from blazeposer.core.contract import ANGLES
from blazeposer.core.draw import ANGLE_COLORS, as_hex
from blazeposer.faces.tracker import PATIENCE
from blazeposer.live.links import Arrival
from blazeposer.live.session import Follower, Moment
from blazeposer.stream.record import Counts, Record

_IN_LEGEND = 12  # largest number of faces in the legend


def draw_session(records: Iterable[Record], title: str) -> Figure:
    """Return a figure with three plots of yaw, pitch and roll, in degrees over seconds. The plots show each face's raw
    angles, smoothed angles and expected error."""
    follow, rows = Follower(), defaultdict[int, list[list[float]]](list)
    for record in records:
        moment = follow(Moment("", "", Counts()), Arrival(record, record.t_ms / 1000))
        for face, seen in zip(moment.faces, moment.record.faces if moment.record else (), strict=True):
            rows[face.id or 0].append([follow.time, *face.angles, *seen.angles, seen.err])
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(len(ANGLES), sharex=True)
    for number, (track_id, values) in enumerate(rows.items()):
        table = np.array(values)
        table = np.insert(table, np.flatnonzero(np.diff(table[:, 0]) > PATIENCE) + 1, np.nan, axis=0)
        seconds, errors, color = table[:, 0], table[:, -1], f"C{number % 10}"
        for axis, panel in enumerate(axes):
            steady, raw = table[:, 1 + axis], table[:, 1 + len(ANGLES) + axis]
            panel.fill_between(seconds, steady - errors, steady + errors, color=color, alpha=0.12, linewidth=0)
            panel.plot(seconds, raw, ".", color=color, markersize=2, alpha=0.6)
            panel.plot(seconds, steady, color=color, linewidth=1.3, label=f"face {track_id}")
    for name, panel in zip(ANGLES, axes, strict=True):
        panel.set_ylabel(f"{name}, degrees", color=as_hex(ANGLE_COLORS[name]))
        panel.axhline(0, color="gray", linewidth=0.5)
        panel.grid(alpha=0.2)
    axes[0].set_title(f"{title}: smoothed angles (lines), raw angles (dots) and expected errors (bands)")
    axes[-1].set_xlabel("seconds")
    if 0 < len(rows) <= _IN_LEGEND:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize="small")
    return figure
