# Uses a folder of the PC as a drive of the camera. The drive is full when a FAT drive of the same size would be full.
# The behaviour follows MicroPython 1.28, extmod/vfs_fat_file.c. If the drive becomes full, a write stores the bytes
# that fit and raises ENOSPC.

import io

from _link import ask as _ask
from vfs import VfsPosix

CLUSTER = 512
_DIRECTORY = 0x4000
_ENOSPC = 28
_ABSOLUTE = {"/": ""}
_CLOSE = 4


class Disk:
    def __init__(self, folder, name, size):
        self._name = name
        self._files = VfsPosix(folder + name)
        self._clusters = size // CLUSTER
        self._cwd = "/"

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        file = self._files.open(self._full(path), mode)
        if "r" in mode and "+" not in mode:
            return file
        return _Writer(self, file, self._name + self._full(path))

    def chdir(self, path):
        path = self._full(path)
        if path != "/":
            self._files.stat(path)
        self._cwd = path

    def getcwd(self):
        return self._cwd

    def ilistdir(self, path):
        path = self._full(path)
        for entry in self._files.ilistdir(path):  # the unix build gives no sizes, but FAT does
            name, kind = entry[:2]
            size = 0 if kind == _DIRECTORY else self._files.stat(path.rstrip("/") + "/" + name)[6]
            yield (name, kind, 0, size)

    def stat(self, path):
        # An import treats Ctrl-C in this method as "no such file" (MicroPython 1.28, extmod/vfs.c, mp_vfs_import_stat).
        # The drives of a camera are written in C and pass Ctrl-C on. MicroPython checks for Ctrl-C at jumps, so this
        # method must have no jumps.
        start = _ABSOLUTE.get(path[:1], self._cwd + "/")
        return self._files.stat((start + path).replace("/..", "/."))

    def statvfs(self, path):
        free = self.free()
        return (CLUSTER, CLUSTER, self._clusters, free, free, 0, 0, 0, 0, 255)

    def mkdir(self, path):
        self._files.mkdir(self._full(path))

    def rmdir(self, path):
        self._files.rmdir(self._full(path))

    def remove(self, path):
        self._files.remove(self._full(path))

    def rename(self, old, new):
        # VfsPosix.rename fails inside folders, so ask the PC.
        _ask("rename", old=self._name + self._full(old), new=self._name + self._full(new))

    def free(self):
        """Return the number of free clusters."""
        return self._clusters - self._used("/")

    def _used(self, folder):
        count = 1
        for entry in self._files.ilistdir(folder):
            path = folder.rstrip("/") + "/" + entry[0]
            if entry[1] == _DIRECTORY:
                count += self._used(path)
            else:
                count += (self._files.stat(path)[6] + CLUSTER - 1) // CLUSTER
        return count

    def _full(self, path):
        parts = [] if path.startswith("/") else self._cwd.split("/")
        for part in path.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join([part for part in parts if part])


class _Writer(io.IOBase):
    """A file that is open for writing. Scripts and mpremote write only at the end of a file, so `write` assumes that
    all bytes make the file longer."""

    def __init__(self, disk, file, path):
        self._file = file
        self._path = path
        end = file.seek(0, 2)
        self._room = disk.free() * CLUSTER + -end % CLUSTER

    def write(self, data):
        fits = data if len(data) <= self._room else data[: self._room]
        self._room -= self._file.write(fits)
        if len(fits) < len(data):
            raise OSError(_ENOSPC)
        return len(data)

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def seek(self, offset, whence=0):
        return self._file.seek(offset, whence)

    def flush(self):
        self._file.flush()

    def close(self):
        if self._path:
            _ask("write", to="file", value=[self._path, self._file.seek(0, 2)])
            self._path = None
        self._file.close()

    def ioctl(self, request, argument):
        if request == _CLOSE:
            self.close()
        return 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
