"""The joined rows of a job, read from the working files, and the outbox that sinks write to."""

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
from ..domain.names import REVIEW
from ..domain.records import Job, Part
from ..errors import PluginError
from ..files import Rights, make_folder, publishing
from ..store.spool import Spool
from ..work.joined import RowsDoNotAddUp, joined

READ_AHEAD = 500
"""Rows read by each call of the reading thread: some 10 ms of work, so that the event loop is never blocked."""


class SpoolRows(ResultRows):
    """The rows and results of a job, joined part by part during the iteration; holds one row in memory at a time.

    The rows before `since` are left out: whole parts of them are not read.
    """

    def __init__(
        self, spool: Spool, job: Job, parts: Sequence[Part], answer_columns: Sequence[str], *, since: int = 0
    ) -> None:
        self.columns = list(job.columns)
        self.answer_columns = list(answer_columns)
        self.dialect = job.dialect
        self._spool = spool
        self._job = job
        self._parts = parts
        self._since = since
        self.passed = 0
        """How many rows were passed on, in all iterations together."""

    def __iter__(self) -> Iterator[ResultRow]:
        for row in self._joined():
            self.passed += 1
            yield row

    def _joined(self) -> Iterator[ResultRow]:
        number, names = 0, self.names
        for part in self._parts:
            if part.first != number:
                break
            number += part.rows
            if number > self._since:
                left_out = max(0, self._since - part.first)
                yield from islice(joined(self._spool.run(self._job, part), names=names), left_out, None)
        if number != self._job.rows:
            raise RowsDoNotAddUp(
                f"Job {self._job.id} has {self._job.rows} rows, but {number} would be delivered; nothing is delivered."
            )

    async def __aiter__(self) -> AsyncIterator[ResultRow]:
        remaining = iter(self)
        while ahead := await asyncio.to_thread(lambda: list(islice(remaining, READ_AHEAD))):
            for row in ahead:
                yield row


class FolderOutbox(Outbox):
    """The outbox folder under a job's reserved name.

    `published` are the names of the files written; `taken` is a name that could not be used, as another file has it.
    """

    def __init__(
        self, folder: Path, stem: str, *, mounted: frozenset[Path] = frozenset(), rights: Rights | None = None
    ) -> None:
        self._folder = folder
        self._rights = rights
        self._stem = stem
        self._mounted = mounted
        self.published: list[str] = []
        self.taken: str | None = None

    @contextmanager
    def publishing(self, suffix: str) -> Iterator[IO[bytes]]:
        name = f"{self._stem}{suffix}"
        target = self._folder / name
        require_folder(self._folder, mounted=self._mounted)
        make_folder(target.parent, rights=self._rights)
        try:
            with publishing(target, rights=self._rights) as file:
                yield file
        except FileExistsError as error:
            if name in self.published:
                raise PluginError(f"The sink publishes two files as {name}; each needs a suffix of its own.") from None
            if str(target) in {error.filename, error.filename2}:
                self.taken = name
            raise
        self.published.append(name)


def require_folder(folder: Path, *, mounted: frozenset[Path] = frozenset()) -> None:
    """Raise OSError with a reason if a configured folder is missing, or was `mounted` and no longer is.

    batchd does not create it again: most likely its share is not mounted, and files below the mount point would be
    hidden.
    """
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder is not there (is its share mounted?)", str(folder))
    if folder in mounted and not os.path.ismount(folder):
        raise FileNotFoundError(errno.ENOENT, "the folder's file system is not mounted any more", str(folder))


def require_all(**folders: Path) -> None:
    """Raise OSError with a reason for the first of these folders that is missing."""
    for name, folder in folders.items():
        if not folder.is_dir():
            what = "is a file" if folder.exists() else "is not there"
            advice = "Mount its share, or make it: batchd init"
            raise FileNotFoundError(
                errno.ENOENT, f"the {name} folder {what}, so batchd did not start. {advice}", str(folder)
            )


RESERVED_SUFFIXES = (
    ".report.json",
    ".report.html",
    REVIEW,
    *(f".{which}.{form}" for which in ("results", "failed") for form in ("csv", "jsonl", "tsv", "xlsx", "parquet")),
)


def is_taken(folder: Path, stem: str) -> bool:
    """Whether the outbox has a file of this name already."""
    start = f"{folder}/{stem}"
    return any(os.path.lexists(f"{start}{suffix}") for suffix in RESERVED_SUFFIXES)
