"""Stretch waiting times for a device that does not answer while this PC is busy."""

from __future__ import annotations

import os


def stretched(seconds: float) -> float:
    """Return the seconds to give to what takes `seconds` at most on an idle PC.

    The more processes want the processors, the smaller is the share of each, and the longer it may take.
    """
    if not hasattr(os, "getloadavg"):  # Windows
        return seconds
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
