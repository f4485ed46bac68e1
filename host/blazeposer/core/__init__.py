"""The facts and the arithmetic that all other packages use.

errors.py     the exceptions of the project
face.py       a face, its keypoints and its pose
contract.py   the network's input, outputs, anchors and keypoints
rotation.py   the meaning of yaw, pitch and roll
boards.py     the OpenMV cameras
prepare.py    conversion of an image to the network's input
decode.py     conversion of the network's outputs to faces
draw.py       drawing of faces into an image
resources.py  the folders `board/` and `models/`
table.py      reading of tables (.csv)
files.py      reading of files that other people made
text.py       printing of text without control characters
console.py    printing of text without control characters, through rich
streams.py    stdout and stderr, also when they are closed or full
ending.py     signals that end a program
"""
