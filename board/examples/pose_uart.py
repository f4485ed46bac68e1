# SPDX-License-Identifier: Apache-2.0
#
# Sends the head pose to another microcontroller over UART. Each image gives one line in the format of NMEA 0183:
#     $HEAD,1,12.3,-4.5,0.5,4.2*0A
# The fields are the number of faces, and yaw, pitch, roll and expected error of the best face, in degrees. After the
# star is the checksum: the exclusive or of all characters between $ and *, in hexadecimal. Without a face, the line is
# $HEAD,0,,,,*14
#
# Wiring: connect the camera's P4 (TX, 3.3 V) to the other microcontroller's RX, and GND to GND. P4 belongs to UART 3
# (on the RT1062 and the AE3, to UART 1). Nicla Vision, Portenta and Giga have other pin names.
#
# First run `blazeposer deploy`, then `mpremote run pose_uart.py`.

import ml
from machine import UART

from find_model import MODELS, first_file

BUS = 3
BAUD_RATE = 115200

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()

uart = UART(BUS, BAUD_RATE)


def sentence(text):
    checksum = 0
    for character in text:
        checksum ^= ord(character)
    return "$%s*%02X\r\n" % (text, checksum)


while True:
    faces = model.predict([csi0.snapshot()])
    if faces:
        uart.write(sentence("HEAD,%d,%.1f,%.1f,%.1f,%.1f" % ((len(faces),) + faces[0].angles + (faces[0].err,))))
    else:
        uart.write(sentence("HEAD,0,,,,"))
