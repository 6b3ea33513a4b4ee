"""The notes in the outbox that say where a file is: one for each job that has been in work for a while.

They are only a help: a power cut may take the text of a note, and a note that cannot be written delays nothing. Each is
removed when its job ends.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from threading import Lock

from ..files import Rights, fsync_folder, make_folder, publishing
from .outbox import require_folder

WAITING = ".waiting.txt"
_LARGEST = 10_000
"""Bytes: no note of batchd is as long."""


class WaitingNotes:
    """The notes in the outbox. `mounted` are the folders that were mount points at the start. For use from threads."""

    def __init__(self, folder: Path, *, mounted: frozenset[Path]) -> None:
        self._folder = folder
        self._mounted = mounted
        self._ended: set[str] = set()
        self._lock = Lock()

    def write(self, job: str, stem: str, text: str, rights: Rights | None = None) -> None:
        """Write the note of a job in place of its last one, unless the job has ended meanwhile.

        Raises FileExistsError if another file has the name, OSError if the folder is missing or cannot be written to.
        """
        path = self._folder / f"{stem}{WAITING}"
        with self._lock:
            if job in self._ended:
                return
            require_folder(self._folder, mounted=self._mounted)
            make_folder(path.parent, rights=rights)
            self._remove(path, job)
            with publishing(path, rights=rights, durable=False) as file:
                file.write(f"{text}{_mark(job)}\n".encode())

    def take_away(self, job: str, stem: str) -> None:
        """Remove the note of a job, and write no other for it. A note that cannot be removed stays."""
        with self._lock:
            self._ended.add(job)
            path = self._folder / f"{stem}{WAITING}"
            try:
                if self._remove(path, job):
                    # Otherwise it could be back after a power cut, and stay: the job has ended by then.
                    fsync_folder(path.parent)
            except OSError:
                return

    def forget_ended(self, unfinished: Collection[str]) -> None:
        """Only the notes of these jobs are written from now on, so the others need not be remembered."""
        with self._lock:
            self._ended.intersection_update(unfinished)

    def begin_anew(self, job: str) -> None:
        """Let the job have a note again, under its other name in the outbox."""
        with self._lock:
            self._ended.discard(job)

    def _remove(self, path: Path, job: str) -> bool:
        """Remove our note, if there is one. Raise FileExistsError if the file is not ours."""
        try:
            found = path.lstat()
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST or not _is_ours(path, job):
            raise FileExistsError(errno.EEXIST, "a file of this name exists, which is no note of this job", str(path))
        os.unlink(path)
        return True


def _mark(job: str) -> str:
    return f"[batchd {job}]"


def _is_ours(path: Path, job: str) -> bool:
    text = path.read_bytes()
    # A power cut may leave the name without the text. People may open it, and their editor may add a line end.
    return not text.strip(b"\0") or text.rstrip().endswith(_mark(job).encode())
