"""Print whether each person looks at the camera: python read.py /dev/ttyACM0"""

import sys

from blazeposer import read_records

for record in read_records(sys.argv[1]):
    for face in record.faces:
        looks = abs(face.yaw) < 15 and abs(face.pitch) < 15
        print(record.t_ms, face.id, "looks at me" if looks else "looks away")
