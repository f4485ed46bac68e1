"""Define a recipe's settings for the training images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSettings:
    """A recipe's settings for the training images. A share is a fraction (0 to 1) of the images in a batch."""

    unlabelled: float
    """Share of images with only a background.

    In the recipe `full`, half of these images are photos with several people. Without these photos, the detector's
    average precision is 2 to 5 % below BlazeFace's. A third of the images are collages of faces, because there are few
    photos with several people. The other images show places without faces, to keep false positives rare.
    """
    photos: float
    """Share of images in which another photo fills the area around the face's photo."""
    usual: float
    """Share of faces with places and sizes that are typical in front of a camera."""
    turn: float
    """Standard deviation of the turn in the image's plane, in degrees. This turn is at most 45 degrees. Only the faces
    of the shares `turned` and `upside_down` have larger turns."""
    turned: float
    """Share of faces turned by any angle up to `turned_most`."""
    turned_most: float
    """Largest angle of the share `turned`, in degrees."""
    upside_down: float
    """Share of faces turned by 110 to 180 degrees. The network learns not to find these faces. They train the expected
    error, but not the pose."""
    near: float
    """Share of faces that are near the camera or cut by the image's edge."""
    perspective: float
    """Share of faces with the perspective of a short distance, among the faces larger than 0.4 of the image."""
    light: float
    """Factor on how often light, colour, focus and noise change, and on how often objects cover a face."""
    mirrored: float
    """Share of images that are the mirror image of another image in the batch. Some losses compare these two images."""
    covered: float
    """Share of faces that a rectangle covers in part, in addition to the rectangles of `light`."""
    cropped: float
    """Share of faces whose photo is cut close around the face."""
    blur: float
    """Largest standard deviation of the blur, in pixels."""
    balance: float
    """Exponent that decides how often rare poses are chosen. With 0, all faces are chosen equally often. With 1, all
    poses are chosen equally often."""
