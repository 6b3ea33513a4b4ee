"""The actions that the last look found but had no room for: each begins as soon as one of its kind has ended.

Without this, workers would be idle until the next look. Looks would have to come so often that, with many small files,
they took a quarter of the main process's time.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from .room import Due, Kind, Room, is_remote


class DueLine:
    """Actions that may begin without another look: those of jobs of which no action has ended since the last one."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._lines: dict[Kind, deque[Due]] = defaultdict(deque)
        self._moved: set[str] = set()

    def renew(self, left: Sequence[Due]) -> None:
        """Replace the line by the actions that a look has found and had no room for."""
        self._moved = set()
        self._lines.clear()
        for due in left:
            if not is_remote(due.action) and hasattr(due.action, "job"):
                self._lines[self._room.kind(due)].append(due)

    def after(self, ended: Due) -> Due | None:
        """The next action of the same kind as the one that has ended; None if there is none."""
        job = getattr(ended.action, "job", None)
        if job is not None:
            # Other actions that were found for this job may not be due any more.
            self._moved.add(job)
        line = self._lines.get(self._room.kind(ended))
        while line:
            due = line.popleft()
            if getattr(due.action, "job", "") not in self._moved and not self._room.is_taken_by(due.action):
                return due
        return None
