"""The base class of sinks that write files line by line: the plugin formats a row, batchd does the rest.

It is fast: worker processes format the parts of a job, and batchd joins the pieces in the outbox.
"""

from __future__ import annotations

import asyncio
import codecs
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .contracts import DeliveryJob, Outbox, ResultRow, ResultRows, SettingsT, Sink
from .model import Dialect, Json
from .sinks import names_of_results

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

    @property
    def names(self) -> list[str]:
        """The names of all columns of the results, all different: the input's, the answer's, `status` and `error`."""
        return names_of_results(self.columns, self.answer_columns)


class FileSink(Sink[SettingsT]):
    """Puts files of lines into the outbox. Its methods are pure: any process may call them, any number of times."""

    find_other: Callable[[str], FileSink[Any] | None] | None = None
    """Makes a file sink of another kind, without settings; returns None if there is none. batchd sets it."""

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

    def answered(
        self, shape: Shape, rows: Iterable[tuple[Sequence[Json], Sequence[Json]]]
    ) -> Iterator[tuple[str, bytes]] | None:
        """The same for consecutive rows that have an answer, many at once: pairs of a suffix and whole lines.

        Each row is a pair: its values, one per column, and its answer, one per answer column. Override this only for
        speed, together with `lines`: if a class overrides `lines` alone, batchd calls that alone. None means that
        there is no faster way for this shape. The conformance kit compares both.
        """
        return None

    def in_one_piece(self, shape: Shape) -> bool:
        """Whether `lines` must get all rows of the job in one call, since its file cannot be joined from pieces."""
        return False

    def encoders(self, shape: Shape) -> Mapping[str, Callable[[str], bytes]]:
        """Suffix to encoder, for files in another encoding. `heads` and `lines` return their text as UTF-8.

        If an encoder raises UnicodeEncodeError for a text of its file, the whole file is UTF-8 with a byte order mark.
        """
        return {}

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
        heads, encoders = self.heads(shape), self.encoders(shape)
        with ExitStack() as stack:
            files: dict[str, _File] = {}
            for suffix, line in self.lines(shape, rows):
                file = files.get(suffix)
                if file is None:
                    # Whether the encoding can hold all text is known only at the end, so write elsewhere first.
                    elsewhere = suffix in encoders
                    target = tempfile.TemporaryFile() if elsewhere else job.outbox.publishing(suffix)  # noqa: SIM115  # here
                    file = files[suffix] = _File(stack.enter_context(target), cancelled)
                    if suffix not in encoders:
                        file.add(heads[suffix])
                file.add(line)
            for file in files.values():
                file.flush()
            for suffix in files.keys() & encoders.keys():
                put_encoded(job.outbox, suffix, heads[suffix], [files[suffix].file], encoders[suffix])


def put_encoded(
    outbox: Outbox, suffix: str, head: bytes, pieces: Sequence[Path | IO[bytes]], encode: Callable[[str], bytes]
) -> None:
    """Publish UTF-8 text in another encoding, or as UTF-8 with a byte order mark if that encoding cannot hold it."""
    try:
        with outbox.publishing(suffix) as file:
            file.write(encode(head.decode()))
            for text in _texts(pieces):
                file.write(encode(text))
    except UnicodeEncodeError:
        with outbox.publishing(suffix) as file:
            file.write(codecs.BOM_UTF8 + head.removeprefix(codecs.BOM_UTF8))
            for text in _texts(pieces):
                file.write(text.encode())


def _texts(pieces: Sequence[Path | IO[bytes]]) -> Iterator[str]:
    for piece in pieces:
        with piece.open("rb") if isinstance(piece, Path) else nullcontext(piece) as lines:
            lines.seek(0)
            decode = codecs.getincrementaldecoder("utf-8")().decode
            while chunk := lines.read(_CHUNK):
                yield decode(chunk)
            yield decode(b"", final=True)


class _Abandoned(Exception):
    """Raised in the writing thread once the delivery is cancelled; removes the drafts."""


class _File:
    """A file that is written in chunks; raises `_Abandoned` once the delivery is cancelled."""

    def __init__(self, file: IO[bytes], cancelled: threading.Event) -> None:
        self.file = file
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
        self.file.write(b"".join(self._lines))
        self._lines.clear()
        self._size = 0
