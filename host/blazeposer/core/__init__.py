"""The facts and the arithmetic that everything else stands on.

errors.py     the exceptions of the project
face.py       a face, its keypoints and its pose
contract.py   the network's input, outputs, anchors and keypoints
rotation.py   the meaning of yaw, pitch and roll
boards.py     the OpenMV cameras
prepare.py    from an image to the network's input
decode.py     from the network's outputs to faces
draw.py       faces drawn into an image
resources.py  the folders `board/` and `models/`
table.py      tables of spreadsheets
files.py      files of others
text.py       text for people, cleaned
console.py    the same in a rich console
streams.py    stdout and stderr: closed, full, or silent for C libraries
ending.py     signals that end a program
"""
