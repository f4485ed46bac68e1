# Start of the virtual camera's MicroPython: file systems, firmware modules, then boot.py and main.py.
# Arguments: folders of the firmware modules, of /flash and of /rom, port of the PC's side, "hard" or "soft" reset.


def start():
    import os
    import sys

    import vfs

    firmware, flash, rom, port, reset = sys.argv[1:]
    sys.argv[:] = []
    vfs.umount("/")  # from here on nothing of the PC's own files is in reach

    # A camera has these modules frozen in: load them all, then take their folder away.
    vfs.mount(vfs.VfsPosix(firmware), "/firmware")
    sys.path[:] = ["/firmware"]
    import _link

    _link.connect(int(port))
    for name in ("csi", "image", "machine", "ml", "ml.preprocessing", "omv", "time", "ulab"):
        __import__(name)
    vfs.umount("/firmware")

    vfs.mount(vfs.VfsPosix(flash), "/flash")
    vfs.mount(vfs.VfsPosix(rom), "/rom", readonly=True)  # ROMFS is read-only (MicroPython: vfs.VfsRom)
    sys.path[:] = ["", ".frozen", "/rom", "/rom/lib", "/flash", "/flash/lib"]
    os.chdir("/flash")  # without a card in (OpenMV 5.0)
    if reset == "soft":  # boot.py and main.py run after a hard one only (OpenMV 5.0)
        return

    for name in ("boot.py", "main.py"):
        try:
            with open("/flash/" + name) as file:
                source = file.read()
        except OSError:
            continue
        try:
            exec(compile(source, name, "exec"), globals())
        except SystemExit:
            pass
        except BaseException as error:  # KeyboardInterrupt too: on to the REPL
            sys.print_exception(error)


start()
del start
