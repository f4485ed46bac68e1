# SPDX-License-Identifier: Apache-2.0
#
# Runs the network on a stored image of a face, and compares the result with the result on a PC. `blazeposer deploy`
# runs this test, or type `import selftest` in the REPL. The test passes if the faces agree. The output bytes
# need not agree, because the last bit of a byte may differ between processors.

import json

import deflate
import image
import ml

from blazeposer import BlazePoser
from find_model import MODELS, first_file

DATA = ("/sdcard/selftest.bin", "/flash/selftest.bin")
SIDE = 128  # Side of the image in pixels. 64x64 pixels are stored, with 4 bits each.
PIXELS = 1  # Largest allowed error of a box's x, y, width and height, in pixels.
DEGREES = 1  # Largest allowed error of a face's angles, in degrees.


def read_picture(data):
    """Read the grey image of a face from the stream `data`, and return the image. Each stored pixel becomes a square of
    2 x 2 pixels."""
    pixels = bytearray(SIDE * SIDE)
    position = 0
    for _ in range(SIDE // 2):
        row = data.read(SIDE // 4)
        for _ in range(2):
            for pair in row:
                for shade in (pair >> 4, pair & 15):
                    pixels[position] = pixels[position + 1] = shade * 17
                    position += 2
    return image.Image(SIDE, SIDE, image.GRAYSCALE, buffer=pixels)


class Comparison:
    """Post-processor that compares the network's outputs with the expected outputs, and then returns the faces."""

    def __init__(self, data):
        self._data = data
        self.bytes = self.equal = self.largest = 0

    def __call__(self, model, inputs, outputs):
        for output in outputs:
            for row in output[0]:
                for expected, q in zip(self._data.read(len(row)), row):
                    difference = abs((expected ^ 128) - 128 - int(q))  # the stored byte is an int8
                    self.bytes += 1
                    self.equal += difference == 0
                    self.largest = max(self.largest, difference)
        return BlazePoser()(model, inputs, outputs)


def differences(faces, expected):
    """Return two errors: the largest error of a box's x, y, width and height in pixels, and the largest error of an
    angle in degrees."""
    pixels = degrees = 0
    for face, golden in zip(faces, expected):
        for a, b in zip(face["box"], golden["box"]):
            pixels = max(pixels, abs(a - b))
        for a, b in zip(face["angles"], golden["angles"]):
            degrees = max(degrees, abs((a - b + 180) % 360 - 180))
    return pixels, degrees


data = deflate.DeflateIO(open(first_file(DATA), "rb"), deflate.ZLIB)
expected = json.loads(data.readline())
comparison = Comparison(data)
model = ml.Model(first_file(MODELS), postprocess=comparison)  # loaded first: it needs one large block of memory
faces = [{"box": list(face.box), "angles": list(face.angles)} for face in model.predict([read_picture(data)])]
pixels, degrees = differences(faces, expected)
passed = len(faces) == len(expected) and pixels <= PIXELS and degrees <= DEGREES

print("Equal bytes: %d of %d, largest difference %d" % (comparison.equal, comparison.bytes, comparison.largest))
print("Faces: %d of %d, off by %.2f pixels and %.2f degrees" % (len(faces), len(expected), pixels, degrees))
print("Self-test", "passed" if passed else "FAILED")
print(
    json.dumps(
        {
            "bytes": comparison.bytes,
            "equal": comparison.equal,
            "largest": comparison.largest,
            "faces": faces,
            "expected": expected,
            "passed": passed,
        }
    )
)
