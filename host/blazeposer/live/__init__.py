"""Run a live session. In a session, records with poses arrive. People see the poses, and programs and files receive the
poses.

- `links.py` defines the interface of a link. A link delivers records, for example from a camera or a file.
- `usb.py` is a link that reads JSON lines from a camera's serial port. If the camera was unplugged, the link waits.
- `protocol_v2.py` is a link that reads poses and images from a camera, with OpenMV's Protocol V2.
- `source.py` is a link for a webcam or a video. The network then runs on this PC.
- `recording.py` writes a session to a file, and replays the file at its original speed.
- `session.py` runs the main loop, which tracks and smooths faces and shows them in the views.
- `centre.py` sets the zero pose. For programs that accept only one head, it selects this head.
- `terminal.py` is a view that draws a table and heads in a terminal, and reads keys.
- `web/` is a view that shows a web page at 127.0.0.1.
- `to/` contains the views for opentrack, avatars (VMC) and MQTT.
- `plot.py` draws a recorded session as an image.
"""
