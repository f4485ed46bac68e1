# SPDX-License-Identifier: Apache-2.0
#
# Opens the sensor. Its images for the network are a square in the middle, in colour if the sensor has colour.
#
#     csi0, side = open_camera()
#     img = csi0.snapshot()

import csi


def open_camera(window=240):
    """Return the sensor, and the side of its square images in pixels. The side is `window` pixels, or less on a small
    sensor. If `window` is above 240, the frame buffer is VGA (640x480) instead of QVGA (320x240)."""
    csi0 = csi.CSI()
    csi0.reset()
    try:
        csi0.pixformat(csi.RGB565)
    except RuntimeError:  # The sensor has no colour.
        csi0.pixformat(csi.GRAYSCALE)
    csi0.framesize(csi.VGA if window > 240 else csi.QVGA)
    # On some sensors, QVGA is 320x200. A side above 200 would stretch faces.
    side = min(window, csi0.width(), csi0.height())
    csi0.window((side, side))
    return csi0, side
