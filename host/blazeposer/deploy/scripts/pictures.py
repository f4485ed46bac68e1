# Runs the network on images from the serial port: `put` takes each part of an image, then `see` runs the network and
# prints the raw outputs in base64 and the faces as JSON. Before this script, the PC sets SIDE, the images' side in
# pixels.

import binascii
import json

import image
import ml

from find_model import MODELS, first_file


class Told:
    """A post-processor that prints the network's raw outputs, and then computes the faces from the outputs."""

    def __call__(self, model, inputs, outputs):
        for output in outputs:
            data = memoryview(output)
            for start in range(0, len(data), 300):
                print(binascii.b2a_base64(bytes(data[start : start + 300])).decode().strip())
        return self.decode(model, inputs, outputs)


told = Told()
model = ml.Model(first_file(MODELS), postprocess=told)  # first, because the model needs the largest free block

from blazeposer import BlazePoser

told.decode = BlazePoser()
pixels = bytearray(2 * SIDE * SIDE)  # RGB565, the low byte first
place = 0


def put(text):
    global place
    part = binascii.a2b_base64(text)
    pixels[place : place + len(part)] = part
    place += len(part)


def see():
    global place
    place = 0
    print(json.dumps([list(face) for face in model.predict([image.Image(SIDE, SIDE, image.RGB565, buffer=pixels)])]))
