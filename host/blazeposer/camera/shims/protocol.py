# Imitates OpenMV's `protocol`: a PC reads data of a script through channels.
# The behaviour follows openmv v5.0, modules/py_protocol.c. A backend is an object whose methods give the script's data.
# If a method of a backend raises an exception, the PC's request fails, but the script continues. A camera calls these
# methods between two steps of the script, but here a thread may call them at any moment.

import _thread
import struct as _struct

from _link import ask as _ask
from _link import open_socket as _open_socket
from _link import refuse as _refuse

_OTHERS = ("init", "lock", "unlock", "shape", "write", "readp", "flush", "ioctl", "is_active")


def is_active():
    return _ask("active")["active"]


def register(name, flags=0, backend=None):
    has = [method for method in _OTHERS if hasattr(backend, method)]
    if flags or has or not (hasattr(backend, "poll") and hasattr(backend, "size") and hasattr(backend, "read")):
        _refuse("channels except channels with only the methods poll, size and read")
    _thread.start_new_thread(_serve, (backend, _open_socket(_ask("register", name=name)["address"])))


def _serve(backend, link):
    while True:
        request = link.read(9)
        if not request or len(request) < 9:
            return
        method = request[:1]
        try:
            if method == b"r":
                data = bytes(backend.read(*_struct.unpack(">II", request[1:])))
            else:
                data = _struct.pack(">I", backend.size() if method == b"s" else bool(backend.poll()))
            answer = _struct.pack(">i", len(data)) + data
        except Exception:
            answer = _struct.pack(">i", -1)
        link.write(answer)
