"""A live session: poses come from a link, and people see them, programs get them, files keep them.

links.py        the interface of a link: an iterator over arrivals
usb.py          a link: JSON lines from a camera's serial port. It waits for a camera that was unplugged
protocol_v2.py  a link: poses and images from a camera, by OpenMV's Protocol V2
source.py       a link: a webcam of this PC or a video. The network runs on this PC
recording.py    writes a session to a file, and replays the file at its original speed
session.py      the main loop: it tracks and smooths faces and gives every moment to the views
centre.py       the pose that is the zero, and the head for programs that accept only one head
terminal.py     a view: table and heads in a terminal, and keys
web/            a view: a page on 127.0.0.1
to/             views: opentrack, avatars (VMC), MQTT
plot.py         draws a recorded session as an image
"""
