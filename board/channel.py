# SPDX-License-Identifier: Apache-2.0
#
# Publishes main.py's records in packed form on the channel "blazeposer" of OpenMV's Protocol V2. A PC reads the channel
# with the package `openmv`, for example by `blazeposer watch --protocol v2`. A new record replaces the old record on
# the channel.
#
#     channel = Channel(max_faces=4)
#     channel.publish((seq, t_ms, fps, picture_ms, network_ms, decode_ms), (width, height), tracker.update(faces, t_ms))

import struct

import protocol

VERSION = 1  # version of the record's format
HEAD = "<BBHHIQ4f"  # version, number of faces, width, height, seq, t_ms, fps, ms for image, network and decoding
FACE = "<I21f"  # id, score, err, box, keypoints, angles


class Channel:
    def __init__(self, max_faces):
        # All records have one size: a PC asks for the size, and a new record may come before the PC reads.
        size = struct.calcsize(HEAD) + max_faces * struct.calcsize(FACE)
        self._newest = bytearray(size)
        self._spare = bytearray(size)
        self._unread = False
        protocol.register(name="blazeposer", backend=self)

    def publish(self, frame, size, tracks):
        if not protocol.is_active():
            return
        data = self._spare  # The firmware may call `read` during this method. `read` must return a complete record.
        struct.pack_into(HEAD, data, 0, VERSION, len(tracks), *(size + frame))
        start = struct.calcsize(HEAD)
        for id, face, _ in tracks:
            values = [face.score, face.err]
            values.extend(face.box)
            for point in face.keypoints:
                values.extend(point)
            values.extend(face.angles)
            struct.pack_into(FACE, data, start, id, *values)
            start += struct.calcsize(FACE)
        self._spare = self._newest
        self._newest = data
        self._unread = True

    # The firmware calls the methods below if the PC asks.

    def poll(self):
        return self._unread

    def size(self):
        return len(self._newest)

    def read(self, offset, size):
        self._unread = False
        return memoryview(self._newest)[offset : offset + size]
