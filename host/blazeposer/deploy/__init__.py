"""Onto a camera and back: nothing is written before it is agreed to, and nothing is replaced before it is saved.

bundle.py     what goes onto a camera: a folder with a manifest
camera.py     what a camera is asked and given, by mpremote
state.py      what it says, checked
scripts/      what mpremote runs on the camera for that
flash.py      how ROMFS is changed with the least erased
plan.py       what a deploy would do, and the rules of the firmware that may forbid it
drives.py     a camera's drive that this PC has mounted
backup.py     what was replaced, in numbered folders
run.py        deploy, restore, status
selftest.py   the stored image and its golden outputs
"""
