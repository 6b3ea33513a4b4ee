"""Decides when a dropped file is complete: once batchd has seen it unchanged for `settle` seconds.

No event tells that: `mv`, `ln`, a moved folder and NFS writers close nothing. Nor does the file's age: Windows, `cp -p`
and `rsync -t` keep the old time of modification while bytes still arrive. So batchd measures the time itself, from when
it first saw the file in this state. This applies after a start too: a file that was there before may be half a file.
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
"""The most seconds between two checks whether an unchanged file is still open."""


class Stamp(NamedTuple):
    """The properties that change when a file does. A rewrite that keeps size and mtime still changes the ctime.

    A plain tuple: ten thousand are created and compared at every look, and it is stored with the job.
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The stamp in a file's status."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def moved(self) -> tuple[int, int, int]:
        """The part of it that a rename keeps: a rename changes the ctime of the file."""
        return self[:3]


@dataclass(slots=True)
class _Watched:
    stamp: Stamp
    since: float
    check_at: float
    busy_since: float | None = None


class Settling:
    """Remembers the files that looks at the inbox have seen, and tells which have settled.

    Times are seconds of a steady clock, passed with every call. It forgets files that are no longer seen, so its
    memory is that of one look.

    `busy` takes the hint that a program has the file open for writing. Such a program may still write or may have
    finished, so the hint delays the file. But a handle that is never closed must not delay it without end: after
    `busy_max` seconds, `busy_settle` seconds without a change are enough.
    """

    def __init__(self, *, settle: float, busy_max: float = BUSY_MAX, busy_settle: float = BUSY_SETTLE) -> None:
        self._settle = settle
        self._busy_max = busy_max
        self._busy_settle = busy_settle
        self._files: dict[str, _Watched] = {}
        self._next: float | None = None

    def __len__(self) -> int:
        """The number of files that it remembers."""
        return len(self._files)

    def look(self, seen: Mapping[str, Stamp], steady: float) -> list[str]:
        """The settled files among those seen now. Every look returns them again until they disappear or change."""
        files: dict[str, _Watched] = {}
        settled = []
        self._next = None
        for path, stamp in seen.items():
            file = self._files.get(path)
            if file is None or file.stamp.inode != stamp.inode:
                file = _Watched(stamp, since=steady, check_at=steady + self._settle)
            elif file.stamp != stamp:
                # The writer is still at work: `busy_since` stays.
                file.stamp, file.since, file.check_at = stamp, steady, steady + self._settle
            files[path] = file
            if steady >= file.check_at:
                settled.append(path)
            else:
                self._expect(file.check_at)
        self._files = files
        return settled

    def busy(self, path: str, steady: float) -> bool:
        """A program has the settled file open for writing. True to wait, False to claim the file now.

        After True, a look returns it again after `settle` seconds, later the longer nothing has changed, since
        thousands of files may be open for days.
        """
        file = self._files.get(path)
        if file is None:
            return False
        if file.busy_since is None:
            file.busy_since = steady
        if steady - file.busy_since >= self._busy_max and steady - file.since >= self._busy_settle:
            return False
        file.check_at = steady + max(self._settle, min(BUSY_ASK, (steady - file.since) / 4))
        self._expect(file.check_at)
        return True

    def unchanged_for(self, path: str, steady: float) -> float:
        """Seconds since the file that a look has seen was last seen to change."""
        file = self._files.get(path)
        return 0.0 if file is None else steady - file.since

    def due_in(self, steady: float) -> float | None:
        """Seconds until the next file may settle; None if no file waits.

        Files that have settled do not count: the caller tries those again at its own pace.
        """
        return None if self._next is None else max(0.0, self._next - steady)

    def _expect(self, at: float) -> None:
        if self._next is None or at < self._next:
            self._next = at
