# The unix build's `machine` with what a camera adds: its reset and its number.

import time as _time

from _link import ask as _ask
from umachine import *


def reset():
    _ask("reset")
    while True:  # the PC's side ends this process
        _time.sleep(1)


def unique_id():
    return bytes.fromhex(_ask("hello")["id"])
