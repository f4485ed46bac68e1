"""Single keys of a terminal."""

import os
import sys
from pathlib import Path

import pytest

from blazeposer.live.terminal import pressed
from waiting import until

_SCRIPT = """
import sys, time
sys.path[:0] = {path!r}
from blazeposer.live.terminal import pressed
with pressed() as keys:
    print("ready", flush=True)
    while not (got := keys()):
        time.sleep(0.02)
print("got " + got, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no pseudo-terminals")
def test_a_key_is_read_without_enter_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    import pty
    import termios

    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(path=sys.path))
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, str(script)])
    said = b""

    def says(words: bytes) -> bool:
        nonlocal said
        said += os.read(terminal, 1000)
        return words in said

    before = termios.tcgetattr(terminal)[3]
    until(lambda: says(b"ready"), "the script's start")
    assert not termios.tcgetattr(terminal)[3] & termios.ICANON
    os.write(terminal, b"r")
    until(lambda: says(b"got r"), "the key")
    assert termios.tcgetattr(terminal)[3] == before
    assert os.waitpid(process, 0)[1] == 0
    os.close(terminal)


def test_nobody_presses_keys_of_a_pipe() -> None:
    with pressed() as keys:  # pytest's stdin is none
        assert keys is None
