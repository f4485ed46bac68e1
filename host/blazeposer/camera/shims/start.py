# Starts the virtual camera's MicroPython: mounts drives, loads firmware modules, then runs boot.py and main.py.
# The arguments are the folder of the firmware modules, the folder of the camera's files, the address of the PC's
# socket, and "hard" or "soft" for the kind of reset. Order and paths follow openmv v5.0, ports/stm32/main.c and
# scripts/libraries/_boot.py.


def start():
    import sys

    import vfs

    firmware, folder, address, reset = sys.argv[1:]
    sys.argv[:] = []
    vfs.umount("/")  # from here on, the PC's own files cannot be reached

    # These modules are frozen into a camera's firmware. Load all of them, then unmount their folder.
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
    for name in ("flash", "sdcard"):  # "sdcard" is in the dictionary only if a card is inserted
        if camera["drives"].get(name):
            vfs.mount(_disk.Disk(folder, "/" + name, camera["drives"][name]), "/" + name)
            sys.path.extend(["/" + name, "/" + name + "/lib"])
            os.chdir("/" + name)

    _link.ask("started")  # Ctrl-C works from here on, because a camera's USB port appears now
    # boot.py runs at every reset, main.py only after a hard reset. Both are on the drive that the camera starts from.
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
        except BaseException as error:  # after any exception, also KeyboardInterrupt, the REPL starts
            sys.print_exception(error)
            break  # if boot.py failed, main.py does not run


start()
del start
