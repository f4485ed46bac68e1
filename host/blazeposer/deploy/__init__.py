"""Deploys to a camera and restores. Nothing is written without consent, and nothing is replaced without a backup.

bundle.py      the files for a camera: a folder with a manifest
camera.py      questions to a camera and writes to it, by mpremote
state.py       the camera's report on itself, checked
scripts/       scripts that mpremote runs on the camera
flash.py       changes of ROMFS with as little erasing as possible
plan.py        the plan of a deploy, and the rules of the firmware that may forbid it
drives.py      drives of cameras that this PC has mounted
backup.py      the replaced contents, in numbered folders
deployment.py  deploy, restore, status
selftest.py    the stored image and its golden outputs
"""
