"""A job's joined rows out of the spool, and the outbox that sinks write to."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from ..contracts import Outbox, ResultRow, ResultRows
from ..domain.records import Job, Part
from ..errors import PluginError
from ..files import make_folder, publishing
from ..store.spool import Spool
from ..work.joined import RowsDoNotAddUp, joined

READ_AHEAD = 500
"""Rows per hop to the reading thread: some 10 ms of work, so that the event loop is never kept waiting."""


class SpoolRows(ResultRows):
    """Rows and results of a job, merged part by part as they are gone through; never more than a row in memory."""

    def __init__(self, spool: Spool, job: Job, parts: Sequence[Part], answer_columns: Sequence[str]) -> None:
        self.columns = list(job.columns)
        self.answer_columns = list(answer_columns)
        self._spool = spool
        self._job = job
        self._parts = parts

    def __iter__(self) -> Iterator[ResultRow]:
        number = 0
        for part in self._parts:
            if part.first != number:
                break
            yield from joined(self._spool.run(self._job, part))
            number += part.rows
        if number != self._job.rows:
            raise RowsDoNotAddUp(
                f"Job {self._job.id} came in with {self._job.rows} rows and would go out with {number}; "
                "nothing is delivered."
            )

    async def __aiter__(self) -> AsyncIterator[ResultRow]:
        going = iter(self)
        while ahead := await asyncio.to_thread(lambda: list(islice(going, READ_AHEAD))):
            for row in ahead:
                yield row


class FolderOutbox(Outbox):
    """The outbox folder under a job's reserved name.

    `published` collects the names of what was written; `taken` is the one that could not be, as another file has it.
    """

    def __init__(self, folder: Path, stem: str, *, mounted: frozenset[Path] = frozenset()) -> None:
        self._folder = folder
        self._stem = stem
        self._mounted = mounted
        self.published: list[str] = []
        self.taken: str | None = None

    @contextmanager
    def publishing(self, suffix: str) -> Iterator[IO[bytes]]:
        """See Outbox."""
        name = f"{self._stem}{suffix}"
        target = self._folder / name
        require_folder(self._folder, mounted=self._mounted)
        make_folder(target.parent)
        try:
            with publishing(target) as file:
                yield file
        except FileExistsError as error:
            if name in self.published:
                raise PluginError(f"The sink publishes two files as {name}; each needs a suffix of its own.") from None
            if str(target) in {error.filename, error.filename2}:
                self.taken = name
            raise
        self.published.append(name)


def require_folder(folder: Path, *, mounted: frozenset[Path] = frozenset()) -> None:
    """OSError in words if one of the configured folders is not there, or is one of those `mounted` and bare now.

    It is not created again: an outbox that is gone is most likely a share that is not mounted, and nobody would
    find files written below the mount point.
    """
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder is not there (is its share mounted?)", str(folder))
    if folder in mounted and not os.path.ismount(folder):
        raise FileNotFoundError(errno.ENOENT, "the folder's file system is not mounted any more", str(folder))


def require_all(**folders: Path) -> None:
    """OSError in words about the first of these folders that is not there."""
    for name, folder in folders.items():
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "is not there"
            advice = "Mount its share, or make it: batchd init"
            raise FileNotFoundError(errno.ENOENT, f"the {name} {what}, so nothing was begun. {advice}", str(folder))


RESERVED_SUFFIXES = (
    ".report.json",
    ".results.csv",
    ".failed.csv",
    ".results.jsonl",
    ".failed.jsonl",
)


def is_taken(folder: Path, stem: str) -> bool:
    """Whether the outbox has anything under this name already."""
    return any(os.path.lexists(folder / f"{stem}{suffix}") for suffix in RESERVED_SUFFIXES)
