"""Show the faces of a webcam or a video in a window until a key is pressed: python window.py [clip.mp4]"""

import sys

import cv2

from blazeposer import CloserLook, Detector, draw

video = cv2.VideoCapture(sys.argv[1] if sys.argv[1:] else 0)
look = CloserLook(Detector(order="bgr"))
while cv2.waitKey(1) < 0:
    good, image = video.read()
    if not good:
        break
    cv2.imshow("BlazePoser", draw(image, look(image), order="bgr"))
