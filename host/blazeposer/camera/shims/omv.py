# Imitates OpenMV's `omv`, which identifies a camera.

from _link import ask as _ask


def version_string():
    return _ask("hello")["version"]


def board_type():
    return _ask("hello")["board_type"]


def arch():
    return _ask("hello")["arch"]
