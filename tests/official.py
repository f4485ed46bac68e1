"""Tiny made-up copies of official data sets, in their exact file formats."""

from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from blazeposer.core.prepare import Image

RGB_CAL = """517.679 0 320 
0 517.679 240.5 
0 0 1 

0 0 0 0 

0.999947 0.00432361 0.00929419 
-0.00446314 0.999877 0.0150443 
-0.009228 -0.015085 0.999844 

-24.0198 5.8896 -13.2308 

640 480
"""  # noqa: W291 - the blanks are the file's
"""Calibration of sequence 12, as in the data set."""

POSE = """0.980639 0.109899 0.162077 
-0.11023 0.993882 -0.00697376 
-0.161851 -0.011027 0.986754 

43.4019 -30.7038 906.864 

"""  # noqa: W291 - the blanks are the file's
"""Pose in frame 3 of that sequence."""


def write_image(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]))


def write_300w(
    path: Path, image: Image, angles: tuple[float, float, float], box: tuple[float, ...], landmarks: str
) -> None:
    """An image and the MATLAB file beside it: pitch, yaw and roll in radians, then translation and scale; `landmarks`
    is pt3d_68 in AFLW2000-3D and pt2d in 300W-LP."""
    write_image(path, image)
    yaw, pitch, roll = np.radians(angles)
    x0, y0, x1, y1 = box
    points = np.full((3 if landmarks == "pt3d_68" else 2, 68), (x0 + x1) / 2, np.float32)
    points[1] = (y0 + y1) / 2
    points[:2, 7], points[:2, 30] = (x0, y0), (x1, y1)
    if landmarks == "pt3d_68":
        points[2] = -1000  # depth: no part of the box
    pose = np.array([[pitch, yaw, roll, 200, 220, 0, 0.0007]], np.float32)
    savemat(str(path.with_suffix(".mat")), {"Pose_Para": pose, landmarks: points}, do_compression=True)


def write_biwi(folder: Path, sequence: str, image: Image, frames: dict[str, str]) -> None:
    """A sequence; `frames` has the text of each frame's pose."""
    (folder / sequence).mkdir(parents=True, exist_ok=True)
    for number, pose in frames.items():
        write_image(folder / sequence / f"frame_{number}_rgb.png", image)
        (folder / sequence / f"frame_{number}_pose.txt").write_text(pose)
    (folder / sequence / "rgb.cal").write_text(RGB_CAL)


def biwi_pose(rotation: np.typing.NDArray[np.float64]) -> str:
    """The text of a pose file with the head straight before the camera, a metre away."""
    rows = [" ".join(f"{value:.6g}" for value in row) + " \n" for row in rotation]
    return "".join(rows) + "\n0 0 1000 \n\n"


def write_wider(folder: Path, text: str, images: dict[str, Image]) -> None:
    (folder / "wider_face_split").mkdir(parents=True)
    (folder / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(text)
    for name, image in images.items():
        write_image(folder / "WIDER_val" / "images" / name, image)
