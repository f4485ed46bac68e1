"""Whose head it is where there is but one."""

from __future__ import annotations

from blazeposer.live.session import Moment, Person


class Leader:
    """Keeps to one person while he or she is there; then the one with the largest face follows."""

    def __init__(self) -> None:
        self._id: int | None = None

    def of(self, moment: Moment) -> Person | None:
        """The leader, if in this moment; another only when this one is not."""
        people = {person.track.id: person for person in moment.people}
        if self._id not in people:
            largest = max(moment.people, key=lambda person: person.face.box[2], default=None)
            self._id = largest.track.id if largest else self._id
            return largest
        return people[self._id]
