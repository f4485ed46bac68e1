# SPDX-License-Identifier: Apache-2.0
#
# Follows faces from image to image. `Tracker` numbers faces and smooths them with one_euro.py. `Gaze` selects the part
# of the next image that the network gets. `blazeposer.faces` runs this file on a PC.
#
#     gaze, tracker = Gaze(), Tracker()  # with BlazePoser(threshold=GUESS)
#     img = csi0.snapshot()
#     region = gaze.region(img.width(), img.height())
#     faces = gaze.saw(model.predict([Normalization(roi=region)(img)]))
#     for id, face, steady in tracker.update(faces, t_ms):
#         print(id, steady.angles)
#
# While faces are known, the network gets only a square around them, so that the faces have more pixels. Every few
# images, or if the square shows more or fewer faces than before, the network next gets the whole image. If a known face
# is not found in the whole image, the network next gets a square around the face's last place. If no face is found in
# the whole image, the network next gets a square around the best detection below the threshold, and can find a small
# face there. A known face needs a lower score than a new face.
#
# With `mirror`, every second image of a known face is mirrored. The network's random errors in an image and in its
# mirror image differ, and the Tracker's filters average both results. The script that uses `Gaze` must mirror the
# image, the region and the faces, as main.py does.

from micropython import const

from blazeposer import Face

POINTS = (1, 0, 2, 3, 5, 4)  # order of the keypoints in the mirror image, where left and right change places
GUESS = 0.1  # The post-processor's threshold if a Gaze is used.
KEPT = 0.6  # a known face must reach this part of the threshold
EVERY = const(10)  # number of squares for the network between two whole images
MARGIN = 0.75  # space around a face, as a multiple of the longer side of its box
LARGEST = 0.8  # largest side of the square, as a part of the image's shorter side

# Smallest intersection over union of a face and the last box of its track. The number is small, because a head may move
# by two thirds of its width between two images.
LEAST_OVERLAP = 0.1
PATIENCE_MS = const(1500)  # a track ends if its face is missing for this time
MOST_LOST = const(8)  # largest number of tracks whose face is missing; each takes some hundred bytes of heap


class Gaze:
    """Selector of the image region that the network gets. A new face needs a score of at least `threshold`. A face that
    was found before needs a score of at least KEPT * `threshold`."""

    def __init__(self, threshold=0.5, mirror=False):
        self._threshold = threshold
        self._mirror = mirror
        self.mirrored = False  # True if the network next gets the mirror image
        self._known = []
        self._guess = []
        self._close = False
        self._looks = 0

    def region(self, width, height):
        """Return a region (x, y, w, h) of the next image. The script must run the network on this region."""
        self._close = False
        self.mirrored = self._mirror and bool(self._known) and not self.mirrored
        faces = self._known or self._guess
        if not faces or self._looks >= EVERY:
            return 0, 0, width, height
        left = top = 1e6
        right = bottom = -1e6
        for face in faces:
            x, y, w, h = face.box
            half = (0.5 + MARGIN) * max(w, h)
            x, y = x + w / 2, y + h / 2
            left, top = min(left, x - half), min(top, y - half)
            right, bottom = max(right, x + half), max(bottom, y + half)
        side = int(max(right - left, bottom - top))
        if side > LARGEST * min(width, height):
            return 0, 0, width, height
        self._close = True
        x, y = int((left + right - side) / 2), int((top + bottom - side) / 2)
        return max(0, min(x, width - side)), max(0, min(y, height - side)), side, side

    def saw(self, faces):
        """From `faces`, return the faces with a high enough score, in the same order. The argument `faces` contains all
        faces whose score is at least GUESS, sorted from the highest score to the lowest."""
        found = [face for face in faces if self._counts(face)]
        if self._close:
            self._looks = self._looks + 1 if len(found) == len(self._known or self._guess) else EVERY
            self._known, self._guess = found, []
        else:
            missed = []
            if self._looks:
                missed = [face for face in self._known if not any(same(face, other) for other in found)]
            self._known = found + missed
            self._guess = [] if self._known else faces[:1]
            self._looks = 0
        return found

    def _counts(self, face):
        kept = any(same(face, known) for known in self._known)
        return face.score >= self._threshold * (KEPT if kept else 1)


class Tracker:
    """A tracker that numbers faces. With `smooth`, the tracker also smooths boxes, keypoints and angles."""

    def __init__(self, smooth=True):
        self._tracks = []
        self._last_id = 0
        self._filter = None
        if smooth:
            from one_euro import SteadyFace  # imported only here, because it takes some KB of heap

            self._filter = SteadyFace

    def update(self, faces, t_ms):
        """Return a tuple (id, raw face, smoothed face) for each of `faces`. `t_ms` is the image's time."""
        free = [track for track in self._tracks if t_ms - track.seen < PATIENCE_MS]
        owners: list = [None] * len(faces)
        while True:
            most = LEAST_OVERLAP
            for i in range(len(faces)):
                if owners[i] is None:
                    for track in free:
                        overlap = overlap_of(faces[i].box, track.box)
                        if overlap > most:
                            most, best, owner = overlap, i, track
            if most == LEAST_OVERLAP:
                break
            owners[best] = owner
            free.remove(owner)
        seen = []
        for i in range(len(faces)):
            if owners[i] is None:
                self._last_id += 1
                owners[i] = Track(self._last_id, faces[i], t_ms, self._filter)
                steady = faces[i]
            else:
                steady = owners[i].see(faces[i], t_ms)
            seen.append((owners[i].id, faces[i], steady))
        self._tracks = owners + free[:MOST_LOST]
        return seen


class Track:
    """The most recent box and the smoothed values of one tracked face."""

    def __init__(self, id, face, t_ms, filter):
        self.id = id
        self.box = face.box
        self.seen = t_ms
        self._filter = filter(face) if filter else None

    def see(self, face, t_ms):
        """Update the track with a detected face, and return the smoothed face."""
        seconds = (t_ms - self.seen) / 1000
        self.box, self.seen = face.box, t_ms
        return self._filter.update(face, seconds) if self._filter else face


def mirrored_region(region, width):
    """Return the region (x, y, w, h) in the coordinates of the mirror image. `width` is the image's width."""
    x, y, w, h = region
    return width - x - w, y, w, h


def mirrored(face, width):
    """Return a face in the coordinates of the mirror image. `width` is the image's width."""
    yaw, pitch, roll = face.angles
    points = [(width - face.keypoints[i][0], face.keypoints[i][1]) for i in POINTS]
    return Face(mirrored_region(face.box, width), face.score, points, (-yaw, pitch, -roll), face.err)


def overlap_of(a, b):
    """Return the intersection over union of two boxes (x, y, w, h)."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def same(face, other):
    """Return whether the box of `other` contains the centre of `face`'s box."""
    x, y, w, h = face.box
    left, top, width, height = other.box
    return 0 <= x + w / 2 - left <= width and 0 <= y + h / 2 - top <= height
