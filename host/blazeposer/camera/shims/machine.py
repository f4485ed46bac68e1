# The unix build's `machine` with the reset that a camera has.

import time as _time

from _link import ask as _ask
from umachine import *


def reset():
    _ask("reset")
    while True:  # the PC's side ends this process
        _time.sleep(1)
