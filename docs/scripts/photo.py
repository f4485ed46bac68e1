from blazeposer import Detector, read_image

image = read_image("photo.jpg")
for face in Detector()(image):
    print(face.box, face.keypoints.nose, face.yaw, face.pitch, face.roll, face.err)
