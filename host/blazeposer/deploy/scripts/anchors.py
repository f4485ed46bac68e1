# Tests the decoder without a network. For each anchor, decodes outputs with a face at this anchor only, and prints the
# result as a line of JSON. Before this script, the PC sets four lists. SCALES, ZEROS (zero points) and SIZES (in bytes)
# describe the outputs. ROTATIONS contains sets of rotation values as int8 numbers.

import json
from array import array

from blazeposer import MAPS, BlazePoser


class Source:
    output_scale = SCALES
    output_zero_point = ZEROS
    roi = (0, 0, 1, 1)


outputs = [array("b", bytes(size)) for size in SIZES]
for row in MAPS:
    outputs[row[3]] = array("b", [-128] * SIZES[row[3]])
decode = BlazePoser()
for first, side, anchors, scores, regressors, rotations, errors in MAPS:
    for index in range(side * side * anchors):
        anchor, cell = first + index, index // anchors
        outputs[scores][index] = 127
        for i in range(16):
            outputs[regressors][16 * index + i] = 40 if i in (2, 3) else (7 * anchor + 13 * i) % 41 - 20
        for i in range(6):
            outputs[rotations][6 * cell + i] = ROTATIONS[anchor % len(ROTATIONS)][i]
        outputs[errors][cell] = anchor % 200 - 100
        print(json.dumps([list(face) for face in decode(Source, [Source], outputs)]))
        outputs[scores][index] = -128
