"""Run a live session: records with poses arrive, people see them, and programs and files receive them.

- `links.py` defines the interface of a link. A link is a source of records.
- `usb.py` is a link that reads JSON lines from a camera's serial port, and waits for an unplugged camera.
- `protocol_v2.py` is a link that reads poses and images from a camera by OpenMV's Protocol V2.
- `source.py` is a link to a webcam of this PC or to a video. The network runs on this PC.
- `recording.py` writes a session to a file, and replays the file at its original speed.
- `session.py` runs the main loop, which tracks and smooths faces and shows them in the views.
- `centre.py` sets the zero pose, and selects the head for programs that accept only one head.
- `terminal.py` is a view that draws a table and heads in a terminal, and reads keys.
- `web/` is a view as a web page at 127.0.0.1.
- `to/` contains the views for opentrack, avatars (VMC) and MQTT.
- `plot.py` draws a recorded session as an image.
"""
