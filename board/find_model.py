# SPDX-License-Identifier: Apache-2.0
#
# Finds the model on the camera, in ROMFS, on the SD card or in flash. This module is small, because it is imported
# before the model is loaded, and the model needs the largest free block of memory.
#
#     model = ml.Model(first_file(MODELS), postprocess=...)

import os
import sys

MODELS = ("/rom/blazeposer.tflite", "/sdcard/blazeposer.tflite", "/flash/blazeposer.tflite")


def first_file(paths):
    """Return the first of `paths` that exists. If none exists, print an error message and end the script."""
    for path in paths:
        try:
            os.stat(path)
            return path
        except OSError:
            pass
    print("BlazePoser stopped: no file at " + ", ".join(paths) + ": run `blazeposer deploy` or copy it there")
    sys.exit()
