"""Which job a file that came into the inbox over HTTP has become."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from ..store.reading.snapshot import snapshot
from .finding import NotFound


class ReceivedFile(Struct, frozen=True):
    """A file as it came into the inbox: its path there, its size, and when it was written, in nanoseconds."""

    place: str
    size: int
    changed: int

    @classmethod
    def of(cls, word: str) -> Self:
        """The upload that a word stands for. Raise NotFound if it stands for none."""
        try:
            place, size, changed = msgspec.json.decode(bytes.fromhex(word), type=tuple[str, int, int])
        except (ValueError, msgspec.DecodeError):
            raise NotFound("There is no such upload.") from None
        return cls(place, size, changed)

    @property
    def word(self) -> str:
        """All of it in one word, for an address."""
        return msgspec.json.encode((self.place, self.size, self.changed)).hex()

    def waits_in(self, inbox: Path) -> bool:
        """Whether it still lies in the inbox."""
        try:
            found = os.stat(inbox / self.place, follow_symlinks=False)
        except OSError:
            return False
        # Compared as `job` does: another file may have come to this place, of the same size.
        return (found.st_size, found.st_mtime_ns) == (self.size, self.changed)

    def job(self, state: Path) -> str | None:
        """The job that it has become, if the daemon has taken it."""
        with snapshot(state) as look:
            return look.job_of_file(self.place, self.size, self.changed)
