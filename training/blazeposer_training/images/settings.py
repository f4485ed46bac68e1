"""The shares and strengths with which training images are made; a recipe sets them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ImageSettings:
    """Settings of a recipe's images. A share is a part of all images of a batch, 0 to 1."""

    unlabelled: float
    """Share that shows a background alone. In `full`, half of these are scenes with people: without them the detector's
    average precision falls behind the original's by 2 to 5 %. A third are collages of faces, since scenes are few, and
    the others places without faces, to keep its quiet in."""
    photos: float
    """Share with another photo beyond the rim of the face's own."""
    usual: float
    """Share of faces that lie as in front of a camera; the others lie anywhere, of any size from 20 pixels on."""
    turn: float
    """Standard deviation of the turn in the image's plane, degrees; no more than 45 either way."""
    turned: float
    """Share turned by any angle up to `turned_most`."""
    turned_most: float
    """Degrees."""
    upside_down: float
    """Share turned by 110 to 180 degrees either way: these are not to be found."""
    near: float
    """Share of faces that fill up to 1.15 of the image, or that its edge cuts."""
    perspective: float
    """Share of the faces of over 0.4 of the image that look as from near, the middle larger than the rim."""
    light: float
    """Factor on the shares of all that happens to light, colour, focus and noise, and of what covers a face."""
    mirrored: float
    """Share that is the mirror image of another of the batch, for the losses that compare the two."""

    def milder(self, strength: float) -> ImageSettings:
        """Return settings with only this part, 0 to 1, of every disturbance."""
        return replace(
            self,
            usual=1 - strength * (1 - self.usual),
            turned=strength * self.turned,
            upside_down=strength * self.upside_down,
            near=strength * self.near,
            perspective=strength * self.perspective,
            light=strength * self.light,
        )
