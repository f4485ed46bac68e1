# Replaces old files by new files, which are already on the camera. Replacing takes only a moment.
# Before this script, the PC sets SUFFIX, the suffix of the new files, and HASHES, a list of pairs in the order of the
# changes. The pair (path, sha256 of `path + SUFFIX`) replaces a file, and the pair (path, None) deletes a file.

import hashlib
import os


def digest(path):
    sha, block = hashlib.sha256(), memoryview(bytearray(1024))
    with open(path, "rb") as file:
        while True:
            count = file.readinto(block)
            if not count:
                return sha.digest().hex()
            sha.update(block[:count])


for path, sha256 in HASHES:
    if sha256 is not None and digest(path + SUFFIX) != sha256:
        raise OSError(path + " was damaged on the way to the camera")
for path, sha256 in HASHES:
    if sha256 is not None:
        os.rename(path + SUFFIX, path)  # on MicroPython's FAT, this replaces an old file
    else:
        try:
            os.remove(path)
        except OSError:
            pass
if hasattr(os, "sync"):
    os.sync()
print("switched")
