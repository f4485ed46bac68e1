"""Deploy to a camera and restore. Nothing is written without consent, and nothing is replaced without a backup.

- `bundle.py` makes and reads the folder with the files for a camera and their manifest.
- `camera.py` asks a camera questions and writes to it, with mpremote.
- `state.py` checks the camera's report on itself.
- `scripts/` holds scripts that mpremote runs on the camera.
- `flash.py` changes ROMFS with as little erasing as possible.
- `plan.py` makes the plan of a deploy, and knows the rules of the firmware that may forbid a deploy.
- `drives.py` finds drives of cameras that this PC has mounted.
- `backup.py` saves the replaced contents in numbered folders.
- `deployment.py` deploys, restores and compares.
- `selftest.py` makes the stored image and its golden outputs.
"""
