# SPDX-License-Identifier: Apache-2.0
#
# Head pose for another microcontroller: a line over UART for every image, in the form of NMEA 0183,
#     $HEAD,1,12.3,-4.5,0.5,4.2*0A
# number of faces; yaw, pitch, roll of the best one and their expected error, degrees; after the star all characters
# between $ and * combined by exclusive or, hexadecimal. Without a face: $HEAD,0,,,,*14
#
# Wiring: the camera's P4 (TX, 3.3 V) to the other's RX, GND to GND. The bus on P4 is UART 3, on RT1062 and AE3 UART 1;
# a Nicla Vision, Portenta or Giga names its own pins.
#
# With BlazePoser on the camera (`blazeposer deploy`): `mpremote run pose_uart.py`.

import ml
from machine import UART

from find_model import MODELS, first_file

BUS = 3
BAUD_RATE = 115200

# First of all, because it needs one large block of memory.
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
