"""Choose the head that is sent to programs that take only one."""

from __future__ import annotations

from blazeposer.core.face import Face
from blazeposer.live.session import Moment


class Leader:
    """Keeps to one person while he or she is there; then the one with the largest face follows."""

    def __init__(self) -> None:
        self._id: int | None = None

    def of(self, moment: Moment) -> Face | None:
        """The leader, if in this moment; another only when this one is not."""
        faces = {face.id: face for face in moment.faces}
        if self._id not in faces:
            largest = max(moment.faces, key=lambda face: face.box[2], default=None)
            self._id = largest.id if largest else self._id
            return largest
        return faces[self._id]
