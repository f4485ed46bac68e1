"""Live: from a link to what people see, keep and pass on.

links.py      the interface of a link: an iterator over arrivals
usb.py        a camera's JSON lines over its serial port; one that is unplugged is waited for
protocol.py   the same camera by OpenMV's Protocol V2, with its images
source.py     this PC's webcam or a video, with the network run here
recording.py  a session as a file, and back at its own pace
session.py    the loop: tracks, smooths, hands every moment to the views
centre.py     the pose that is the zero, and the one head that some programs take
terminal.py   a view: table and heads in a terminal, and its keys
web/          a view: a page on 127.0.0.1
to/           views: opentrack, avatars (VMC), MQTT
plot.py       a recorded session as an image
"""
