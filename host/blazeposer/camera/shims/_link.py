# Sends requests to the PC's side of the virtual camera. camera/hardware.py describes the format.

import json
import socket
import struct

_address = None
_socket = None


class NotOnCamera(Exception):
    """Error for a script that uses a part of OpenMV's firmware that the virtual camera does not imitate."""


def refuse(what):
    raise NotOnCamera("the virtual camera does not support %s: see blazeposer/camera/shims" % what)


def connect(address):
    global _address
    _address = address
    ask("hello")


def open_socket(address):
    link = socket.socket(socket.AF_UNIX)
    link.connect(struct.pack("H", socket.AF_UNIX) + address.encode())
    return link


def ask(question, buffers=(), **arguments):
    """Send a request to the PC, and return the dictionary from the answer. Write the answer's raw bytes into `buffers`.
    Raises RuntimeError if the answer is an error."""
    global _socket
    arguments["question"] = question
    text = json.dumps(arguments).encode()
    try:
        if _socket is None:
            _socket = open_socket(_address)
        _socket.write(struct.pack(">I", len(text)) + text)
        answer = json.loads(_socket.read(struct.unpack(">I", _socket.read(4))[0]))
        if "error" not in answer:
            for buffer in buffers:
                _socket.readinto(buffer)
    except BaseException:  # Ctrl-C stopped the answer: open a new connection next time
        if _socket is not None:
            _socket.close()
        _socket = None
        raise
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer
