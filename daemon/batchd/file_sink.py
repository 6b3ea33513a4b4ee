"""The base class of sinks that write files line by line: the plugin formats a row, batchd does the rest.

It is fast: worker processes format the parts of a job, and batchd joins the pieces in the outbox.
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
from .model import Dialect

_CHUNK = 1 << 16
"""Bytes collected before each write. Joining this many blocks the interpreter for microseconds only."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What all rows of a job have in common: the job's id, the input's columns, and the answer's.

    A name of the answer that the input has too gets a number: `answer (2)`. `dialect` is how the dropped file was
    written, if its Reader tells.
    """

    job: str
    columns: Sequence[str]
    answer_columns: Sequence[str]
    dialect: Dialect | None = None


class FileSink(Sink[SettingsT]):
    """Puts files of lines into the outbox. Both methods are pure: any process may call them, any number of times."""

    @abstractmethod
    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        """The suffix of each possible file (`.results.csv`), mapped to the bytes it begins with.

        A file without any line is not published.
        """

    @abstractmethod
    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        """The lines of the rows, in order: pairs of a file's suffix and a line with its line end.

        Each call gets some consecutive rows of the job, so a line must not depend on earlier rows. Memory must not
        grow with their number.
        """

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        """See Sink. If batchd has worker processes, it calls `heads` and `lines` there instead of this."""
        # Not `to_thread`: when the loop ends, its task is cancelled with all others, and its thread would go on alone.
        cancelled = threading.Event()
        writing = asyncio.get_running_loop().run_in_executor(None, self._write, job, rows, cancelled)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Wait until the thread has closed its files: the next delivery writes drafts of the same names.
            cancelled.set()
            await asyncio.wait([writing])
            # Retrieved, so that asyncio does not report it as never retrieved.
            writing.exception()
            raise

    def _write(self, job: DeliveryJob, rows: ResultRows, cancelled: threading.Event) -> None:
        shape = Shape(job.id, rows.columns, rows.answer_columns, rows.dialect)
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
    """Raised in the writing thread once the delivery is cancelled; removes the drafts."""


class _File:
    """A file that is written in chunks; raises `_Abandoned` once the delivery is cancelled."""

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
