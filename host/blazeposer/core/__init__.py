"""Define the facts and the calculations that the other packages of `blazeposer` use.

- `errors.py` defines the exceptions of the project.
- `face.py` defines a face, its keypoints and its pose.
- `contract.py` defines the network's input, outputs, anchors and keypoints.
- `rotation.py` defines the meaning of yaw, pitch and roll.
- `boards.py` describes the boards of the OpenMV cameras.
- `prepare.py` converts an image to the network's input.
- `decode.py` converts the network's outputs to faces.
- `draw.py` draws faces on an image.
- `resources.py` finds the folders `board/` and `models/`.
- `table.py` reads tables in CSV files.
- `files.py` reads files, but refuses pipes and devices.
- `text.py` prints text without control characters.
- `console.py` prints text without control characters through the package rich.
- `streams.py` keeps programs working if stdout or stderr is closed or takes no more text.
- `ending.py` handles signals that end a program.
"""
