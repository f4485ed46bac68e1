# Start of the virtual camera's MicroPython: file systems, firmware modules, then boot.py and main.py.
# Arguments: folders of the firmware modules and of the camera's files, the PC's address, "hard" or "soft" reset.
# Order and paths after openmv v5.0, ports/stm32/main.c and scripts/libraries/_boot.py.


def start():
    import sys

    import vfs

    firmware, folder, address, reset = sys.argv[1:]
    sys.argv[:] = []
    vfs.umount("/")  # from here on nothing of the PC's own files is in reach

    # A camera has these modules frozen in: load them all, then take their folder away.
    vfs.mount(vfs.VfsPosix(firmware), "/firmware")
    sys.path[:] = ["/firmware"]
    import _disk
    import _link
    import _os as os
    import _vfs

    sys.modules["os"] = sys.modules["uos"] = os
    _link.connect(address)
    camera = _link.ask("hello")
    for name in ("csi", "display", "image", "machine", "ml", "ml.preprocessing", "omv", "protocol", "time", "ulab"):
        __import__(name)
    if camera["pyb"]:
        __import__("pyb")
    vfs.umount("/firmware")
    sys.modules["vfs"] = _vfs
    for name in ("_disk", "_link", "_os", "_vfs"):
        del sys.modules[name]

    _vfs.load(vfs.VfsPosix(folder), camera["flash"])
    _vfs.mount_rom()
    sys.path[:] = ["", ".frozen", "/rom", "/rom/lib"]
    for name in ("flash", "sdcard"):  # the card is in the list if it is in the camera
        if camera["drives"].get(name):
            vfs.mount(_disk.Disk(folder, "/" + name, camera["drives"][name]), "/" + name)
            sys.path.extend(["/" + name, "/" + name + "/lib"])
            os.chdir("/" + name)

    _link.ask("started")  # before that, no Ctrl-C: a camera's USB port comes up now
    # boot.py runs at every reset, main.py after a hard one only, both from the drive that the camera starts from.
    for name in ("boot.py", "main.py") if reset == "hard" else ("boot.py",):
        try:
            with open(name) as file:
                source = file.read()
        except OSError:
            continue
        try:
            exec(compile(source, name, "exec"), globals())
        except SystemExit:
            pass
        except BaseException as error:  # KeyboardInterrupt too: on to the REPL
            sys.print_exception(error)
            break  # no main.py after a boot.py that failed


start()
del start
