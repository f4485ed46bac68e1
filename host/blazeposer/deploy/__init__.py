"""Deploy BlazePoser's files to a camera, and restore the camera's old files. A deploy writes nothing without the user's
consent, and replaces nothing without a backup.

- `bundle.py` makes and reads bundles. A bundle is a folder with all files for a camera.
- `camera.py` uses the program mpremote to read from a camera and to write to a camera.
- `state.py` checks the report that a camera sends about its files and memory.
- `scripts/` holds scripts that mpremote runs on the camera.
- `flash.py` changes ROMFS, the camera's file system for models, and erases as little flash as possible.
- `plan.py` plans a deploy, and refuses a deploy that breaks a rule of the firmware.
- `drives.py` finds camera drives that are mounted on this PC.
- `backup.py` saves a camera's old contents in a numbered folder before a deploy replaces the contents.
- `deployment.py` deploys a bundle, restores a backup, and compares a camera with a bundle.
- `selftest.py` makes the image for the self-test, and the outputs that a camera must compute from the image.
"""
