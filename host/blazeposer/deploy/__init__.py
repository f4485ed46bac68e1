"""Deploy files to a camera, and restore the old files. Nothing is written without the user's consent, and nothing is
replaced without a backup.

- `bundle.py` makes and reads the folder with the files for a camera and their manifest.
- `camera.py` asks a camera questions and writes to the camera, with mpremote.
- `state.py` checks the report that a camera sends about its files and memory.
- `scripts/` holds scripts that mpremote runs on the camera.
- `flash.py` changes ROMFS with as little erasing as possible.
- `plan.py` makes the plan of a deploy. The rules of the firmware can forbid a deploy, and `plan.py` knows these rules.
- `drives.py` finds drives of cameras that this PC has mounted.
- `backup.py` saves the replaced contents in numbered folders.
- `deployment.py` deploys, restores and compares.
- `selftest.py` makes the stored image for the self-test, and the golden outputs for this image.
"""
