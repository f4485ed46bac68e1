"""Waits grow with what the PC has to do."""

from __future__ import annotations

import os

import pytest

from blazeposer.core.patience import stretched


@pytest.mark.parametrize(("load", "factor"), [(0.0, 1), (4.0, 1), (40.0, 10)])
def test_a_busy_pc_is_given_more_time(monkeypatch: pytest.MonkeyPatch, load: float, factor: int) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert stretched(3) == 3 * factor


def test_a_system_that_does_not_tell_is_taken_for_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert stretched(3) == 3
