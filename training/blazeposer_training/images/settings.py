"""Define a recipe's settings for the training images."""

from __future__ import annotations  # the types of fields must be strings for `recipe._kinds`

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSettings:
    """A recipe's settings for the training images. A share is a fraction (0 to 1) of the images or faces in a batch."""

    unlabelled: float
    """Share of images with only a background.

    In the recipe `full`, 39 % of these backgrounds are photos with several people, 24 % are collages of faces, and 37 %
    are photos without faces. Without photos of several people, the average precision of BlazePoser's face detection is
    2 to 5 % below BlazeFace's. Collages are used because the data sets do not have enough photos with several people.
    Photos without faces keep false positives rare.
    """
    photos: float
    """Share of images in which another photo fills the area around the face's photo."""
    usual: float
    """Share of faces with a position and a size that are typical of a person in front of a camera."""
    turn: float
    """Standard deviation of a face's random turn in the image's plane, in degrees. The random turn is limited to 45
    degrees. The faces of the shares `turned` and `upside_down` get other turns, which can be larger."""
    turned: float
    """Share of faces turned by any angle up to `turned_most`."""
    turned_most: float
    """Largest angle of the share `turned`, in degrees."""
    upside_down: float
    """Share of faces turned by 110 to 180 degrees. The network learns not to find these faces. If the network still
    finds such a face, the network should expect a large error. So these faces train the expected error, but not the
    pose."""
    near: float
    """Share of faces that are near the camera or cut by the image's edge."""
    perspective: float
    """Share of faces that get the perspective of a short distance. This share is a fraction of the large faces only. A
    face is large if its size is above 0.4 of the image's side."""
    light: float
    """Factor on the shares of disturbed images. The disturbances are masks and rectangles in front of a face, blur,
    noise, JPEG compression, and changes of light and colour."""
    mirrored: float
    """Share of images that are the mirror image of another image in the batch. Some loss terms compare the network's
    outputs for these two images."""
    covered: float
    """Share of faces that a rectangle covers in part, in addition to the rectangles of `light`."""
    blur: float
    """Largest standard deviation of the blur, in pixels."""
    balance: float
    """Exponent that decides how often rare poses are chosen. With 0, all faces are chosen equally often. With 1, all
    poses are chosen equally often."""
