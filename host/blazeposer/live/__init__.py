"""Run a live session, which shows head poses from a camera and sends the poses to programs and files.

- `links.py` defines the interface of objects that deliver poses from a camera, a video or a file.
- `usb.py` reads JSON lines with poses from a camera's serial port. If the camera is unplugged, `usb.py` waits until the
  camera is plugged in again.
- `protocol_v2.py` reads poses and images from a camera with OpenMV's Protocol V2.
- `source.py` runs the network on this PC, and finds faces in the images of a webcam or a video.
- `recording.py` writes the poses of a session to a file, and replays the file at its original speed.
- `session.py` runs the main loop of a session, which tracks, smooths and shows faces.
- `centre.py` lets the user choose the current pose as the zero pose. For programs that accept only one head,
  `centre.py` selects one person's head.
- `terminal.py` shows a table of faces and drawings of heads in a terminal, and reads the keyboard.
- `web/` shows a session on a web page at 127.0.0.1.
- `to/` sends poses to the program opentrack, to avatars (VMC protocol) and to MQTT brokers.
- `plot.py` draws plots of a recorded session.
"""
