"""The actions that the last look found and that had no room: each is begun as soon as one like it has ended.

Else workers would stand idle until the next look, and looks would have to come so often that with many small files
they took a quarter of the main process's time.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from .room import Due, Kind, Room, is_remote


class DueLine:
    """What may be begun without another look: the steps of jobs of which nothing has ended since."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._lines: dict[Kind, deque[Due]] = defaultdict(deque)
        self._moved: set[str] = set()

    def renew(self, left: Sequence[Due]) -> None:
        """A look has found these, and there was no room for them."""
        self._moved = set()
        self._lines.clear()
        for due in left:
            if not is_remote(due.action) and hasattr(due.action, "job"):
                self._lines[self._room.kind(due)].append(due)

    def after(self, ended: Due) -> Due | None:
        """The next of its kind, now that this one has ended."""
        job = getattr(ended.action, "job", None)
        if job is not None:
            # What was found for its job may not be due any more.
            self._moved.add(job)
        line = self._lines.get(self._room.kind(ended))
        while line:
            due = line.popleft()
            if getattr(due.action, "job", "") not in self._moved and not self._room.is_taken_by(due.action):
                return due
        return None
