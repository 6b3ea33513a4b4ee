"""A sink that writes files line by line, as most do: it says what a row becomes, and batchd does the rest.

That makes it quick as well: batchd has the lines made by its worker processes, a part of the job each, and puts
the pieces together in the outbox.
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from .contracts import DeliveryJob, ResultRow, ResultRows, SettingsT, Sink

_CHUNK = 1 << 16
"""Bytes put together before they are written; so many keep the interpreter to themselves for microseconds only."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What all rows of a job have in common: the job's id, the input's columns, and the answer's.

    The answer's columns are renamed where the input has one of that name.
    """

    job: str
    columns: Sequence[str]
    answer_columns: Sequence[str]


class FileSink(Sink[SettingsT]):
    """Puts files of lines into the outbox. Both methods are pure: they run in any process, as often as it takes."""

    @abstractmethod
    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        """Every file that there may be, by its suffix (`.results.csv`), and what it begins with.

        A file that gets no line is not published.
        """

    @abstractmethod
    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        """What the rows become, in order: the suffix of a file, and a line for it with its end.

        Called with a run of the job's rows at a time, so nothing may depend on the rows before. Memory must not
        grow with their number.
        """

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        """See Sink. Where batchd has worker processes, it publishes by `heads` and `lines` and does not call this."""
        # Not `to_thread`: a task is cancelled with all others when the loop ends, and its thread would go on alone.
        cancelled = threading.Event()
        writing = asyncio.get_running_loop().run_in_executor(None, self._write, job, rows, cancelled)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Only once the thread has let go of its files: the next delivery would write beside it, to drafts of the
            # same names.
            cancelled.set()
            await asyncio.wait([writing])
            # Retrieved, so that asyncio does not report an exception that was never looked at.
            writing.exception()
            raise

    def _write(self, job: DeliveryJob, rows: ResultRows, cancelled: threading.Event) -> None:
        shape = Shape(job.id, rows.columns, rows.answer_columns)
        heads = self.heads(shape)
        with ExitStack() as stack:
            files: dict[str, _File] = {}
            for suffix, line in self.lines(shape, rows):
                file = files.get(suffix)
                if file is None:
                    file = files[suffix] = _File(stack.enter_context(job.outbox.publishing(suffix)), cancelled)
                    file.add(heads[suffix])
                file.add(line)
            for file in files.values():
                file.flush()


class _Abandoned(Exception):
    """Raised in the writing thread once the delivery is cancelled; what was written disappears."""


class _File:
    """A file that is written in chunks, until it is not wanted any more."""

    def __init__(self, file: IO[bytes], cancelled: threading.Event) -> None:
        self._file = file
        self._cancelled = cancelled
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        if self._cancelled.is_set():
            raise _Abandoned
        self._file.write(b"".join(self._lines))
        self._lines.clear()
        self._size = 0
