"""Draw the faces of a video and their numbers with OpenCV: python video.py clip.mp4"""

import sys

import cv2

from blazeposer import CloserLook, Detector, Tracker, draw

video = cv2.VideoCapture(sys.argv[1])
look, tracker = CloserLook(Detector(order="bgr")), Tracker()
while True:
    good, image = video.read()
    if not good:
        break
    seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
    faces = tracker.update(look(image), seconds)
    print(f"{seconds:.2f}", *(f"face {face.id}: yaw {face.yaw:+.0f}" for face in faces))
    cv2.imwrite("newest.jpg", draw(image, faces, order="bgr"))
