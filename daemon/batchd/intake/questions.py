"""Looks for the question of a folder in the inbox, and lets it settle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..domain.questions import MAX_BYTES, NAME
from .plain_files import READ, is_plain, opened_folder, opened_in
from .settling import Stamp


@dataclass(slots=True)
class _Seen:
    stamp: Stamp
    since: float
    content: bytes


class Questions:
    """Remembers the questions that the last look has seen. Times are seconds of a steady clock."""

    def __init__(self, *, settle: float) -> None:
        self._settle = settle
        self._seen: dict[str, _Seen] = {}

    def look(self, inbox: Path, folders: Iterable[str], steady: float) -> None:
        """Look for the questions of these folders, and of the folders above them."""
        found: dict[str, _Seen] = {}
        for folder in {each for one in folders for each in chain(one)}:
            read = _read(inbox, folder)
            if read is None:
                continue
            before = self._seen.get(folder)
            if before is None or (before.stamp, before.content) != read:
                before = _Seen(read[0], steady, read[1])
            found[folder] = before
        self._seen = found

    def of(self, folder: str, steady: float) -> tuple[str, bytes | None] | None:
        """The folder of the nearest question, and its content, None as long as it may still be written."""
        for each in chain(folder):
            seen = self._seen.get(each)
            if seen is not None:
                return each, seen.content if steady - seen.since >= self._settle else None
        return None


def chain(folder: str) -> list[str]:
    """The folder and the folders above it, without the inbox itself.

    >>> chain("reviews/2026"), chain("")
    (['reviews/2026', 'reviews'], [''])
    """
    names = folder.split("/")
    return ["/".join(names[:count]) for count in range(len(names), 0, -1)]


def _read(inbox: Path, folder: str) -> tuple[Stamp, bytes] | None:
    """The stamp and the content of the question in a folder; None if there is none that can be read."""
    path = f"{folder}/{NAME}" if folder else NAME
    try:
        with contextlib.ExitStack() as opened:
            here, exists = opened_folder(opened, inbox, path)
            if not exists:
                return None
            file = opened_in(opened, NAME, READ, here)
            status = os.fstat(file)
            if not is_plain(status):
                return None
            return Stamp.of(status), os.read(file, MAX_BYTES + 1)
    except OSError:
        return None
