"""When is a dropped file whole? Once it has stayed as it is, while we watched, for as long as `settle` says.

No event says it: `mv`, `ln`, a moved folder and NFS writers close nothing. The age of a file does not say it
either: Windows, `cp -p` and `rsync -t` keep the old time of modification while the bytes are still coming. So the
time is ours, and it counts from when we first saw the file like this. That holds at start-up too: a file that was
there before us may be half a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    import os

BUSY_MAX = 600.0
BUSY_SETTLE = 60.0
BUSY_ASK = 30.0
"""Seconds at most between two questions whether a file that does not change is still open."""


class Stamp(NamedTuple):
    """What changes when a file does. A rewrite that keeps size and mtime still moves the ctime.

    A plain tuple underneath: ten thousand are made and compared at every look, and it is stored with the job.
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The stamp of a file whose status was read."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def moved(self) -> tuple[int, int, int]:
        """What is left of it after a rename, which moves the ctime of the very same file."""
        return self[:3]


@dataclass(slots=True)
class _Watched:
    stamp: Stamp
    since: float
    ask_at: float
    busy_since: float | None = None


class Settling:
    """Take what a look at the inbox saw; return which files have settled.

    Times are seconds of a steady clock, given with every call. A file that is not seen any more is forgotten, so
    memory is that of one look.

    `busy` is for the hint that somebody has the file open for writing. A writer that hangs looks just like one that
    is through, so the hint delays; but a handle that is never closed must not hold the file forever, so after
    `busy_max` it is enough that nothing has changed for `busy_settle`.
    """

    def __init__(self, *, settle: float, busy_max: float = BUSY_MAX, busy_settle: float = BUSY_SETTLE) -> None:
        self._settle = settle
        self._busy_max = busy_max
        self._busy_settle = busy_settle
        self._files: dict[str, _Watched] = {}
        self._next: float | None = None

    def __len__(self) -> int:
        """How many files it remembers."""
        return len(self._files)

    def look(self, seen: Mapping[str, Stamp], steady: float) -> list[str]:
        """The settled files among those seen now. A file is named at every look until it is gone or changes."""
        files: dict[str, _Watched] = {}
        settled = []
        self._next = None
        for path, stamp in seen.items():
            file = self._files.get(path)
            if file is None or file.stamp.inode != stamp.inode:
                file = _Watched(stamp, since=steady, ask_at=steady + self._settle)
            elif file.stamp != stamp:
                # The writer is still busy with it: `busy_since` stays.
                file.stamp, file.since, file.ask_at = stamp, steady, steady + self._settle
            files[path] = file
            if steady >= file.ask_at:
                settled.append(path)
            else:
                self._expect(file.ask_at)
        self._files = files
        return settled

    def busy(self, path: str, steady: float) -> bool:
        """Somebody has the settled file open for writing: True to wait, False to take it all the same.

        After True it is named again once `settle` has passed; the longer nothing has changed, the later, since
        thousands of files may be held open for days.
        """
        file = self._files.get(path)
        if file is None:
            return False
        if file.busy_since is None:
            file.busy_since = steady
        if steady - file.busy_since >= self._busy_max and steady - file.since >= self._busy_settle:
            return False
        file.ask_at = steady + max(self._settle, min(BUSY_ASK, (steady - file.since) / 4))
        self._expect(file.ask_at)
        return True

    def due_in(self, steady: float) -> float | None:
        """Seconds until the next file could settle; None if none is on the way.

        Files already named do not count: the caller tries those again at its own pace.
        """
        return None if self._next is None else max(0.0, self._next - steady)

    def _expect(self, at: float) -> None:
        if self._next is None or at < self._next:
            self._next = at
