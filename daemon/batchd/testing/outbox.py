"""A job to publish and an outbox, in memory, for tests of sinks."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import IO, Any, cast

import msgspec

from ..contracts import DeliveryJob, Outbox, ResultRow, ResultRows
from ..model import Failure, Json, RowStatus, Usage

READ_AHEAD = 100


class MemoryOutbox(Outbox):
    """An outbox that keeps its files in a dict by suffix, under the rules of the real outbox.

    Publishing the same bytes again succeeds; other bytes raise FileExistsError. A block that raises leaves no file.
    `on_write` is called with the suffix before every write; a test may raise there. `begun` counts the drafts.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.begun = 0
        self.on_write: Callable[[str], None] = lambda _: None

    @contextmanager
    def publishing(self, suffix: str) -> Iterator[IO[bytes]]:
        if not suffix.startswith(".") or "/" in suffix:
            raise ValueError(f"A suffix begins with a dot and names no folder; {suffix!r} does not do so.")
        self.begun += 1
        with _Draft(lambda: self.on_write(suffix)) as draft:
            yield draft
            content = draft.getvalue()
        if self.files.setdefault(suffix, content) != content:
            raise FileExistsError(f"There is another {suffix} already.")


class CountingOutbox(Outbox):
    """An outbox that keeps nothing, for tests of memory. `on_write` is called with the size of each write."""

    def __init__(self, *, on_write: Callable[[int], object] = lambda _: None) -> None:
        self._on_write = on_write

    @contextmanager
    def publishing(self, suffix: str) -> Iterator[IO[bytes]]:
        del suffix
        yield cast("IO[bytes]", _Drain(self._on_write))


class FakeRows(ResultRows):
    """The rows of a job, created again for each iteration.

    `before` is called with a row's number before the row is yielded, in a thread for `async for`; a test may raise or
    wait there. `on_loop` counts the plain `for` loops on the event loop, which block it.
    """

    def __init__(
        self,
        columns: Sequence[str],
        answer_columns: Sequence[str],
        make: Callable[[], Iterator[ResultRow]],
        *,
        before: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.columns = list(columns)
        self.answer_columns = list(answer_columns)
        self.before = before
        self.on_loop = 0
        self._make = make

    def __iter__(self) -> Iterator[ResultRow]:
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            self.on_loop += 1
        return self._handed_out()

    async def __aiter__(self) -> AsyncIterator[ResultRow]:
        remaining = self._handed_out()
        while ahead := await asyncio.to_thread(lambda: list(islice(remaining, READ_AHEAD))):
            for row in ahead:
                yield row

    def _handed_out(self) -> Iterator[ResultRow]:
        names = self.names
        for row in self._make():
            # The kit itself keeps the contract that it tests.
            if len(row.values) != len(self.columns) or len(row.answer) not in {0, len(self.answer_columns)}:
                raise ValueError(f"Row {row.number} has other values than its columns: {row!r}.")
            self.before(row.number)
            yield msgspec.structs.replace(row, names=names)


def sample_rows() -> FakeRows:
    """Rows of every status, with all kinds of values in cells."""
    ok, failed, skipped = RowStatus.OK, RowStatus.FAILED, RowStatus.SKIPPED
    usage = Usage(10, 2, 5)
    raw = b'{"custom_id":"job-0","response":{"status_code":200,"body":{"choices":[]}},"error":null}'
    refused = Failure("content_policy", 'This will not be answered, "ever".\nAsk\u2028something else.')
    late = Failure("cancelled", "The job was cancelled before this row was answered.")

    def row(number: int, values: Sequence[Json], status: RowStatus, **more: Any) -> ResultRow:
        fields = {"original": values, "answer": (), "failure": None, "usage": None, "raw": None} | more
        return ResultRow(number=number, values=values, status=status, **fields)

    rows = (
        row(0, ["1", "Great, really."], ok, answer=["good", 3], usage=usage, raw=raw),
        row(1, ["2", 'Quotes ", commas; and\nlines\r\nof\u2028all\x85kinds'], ok, answer=["bad\n", None], usage=usage),
        row(2, ["3", "=1+1"], ok, answer=["@SUM(A1)", -0.5], usage=usage, raw=raw),
        row(3, ["4", None], failed, failure=refused, original=["4"]),
        row(4, ["5", "Đẹp 👍🏽 ñ \ufeff\x00"], ok, answer=[["a", {"b": None}], True], usage=usage),
        row(5, ["6", "one too many"], failed, failure=refused, original=["6", "one too many", "cells"], raw=raw),
        row(6, [7, {"nested": [1, 2.5, None]}], skipped, failure=late),
    )
    return FakeRows(["id", "review"], ["answer", "score"], lambda: iter(rows))


def many_rows(number: int, *, before: Callable[[int], None] = lambda _: None) -> FakeRows:
    """This number of plain rows, created one by one. `before` is that of FakeRows."""

    def make() -> Iterator[ResultRow]:
        for row in range(number):
            values = [str(row), f"Review number {row}, which is as long as reviews of such things usually are."]
            yield ResultRow(row, values, values, RowStatus.OK, [f"answer {row}", row], None, Usage(10, 0, 5), None)

    return FakeRows(["id", "review"], ["answer", "score"], make, before=before)


def sample_job(outbox: Outbox, *, job: str = "job", counts: Mapping[RowStatus, int] | None = None) -> DeliveryJob:
    """A job to publish into this outbox; `counts` are those of `sample_rows` by default."""
    return DeliveryJob(
        id=job,
        source="reviews/may.csv",
        route="reviews",
        provider="acme",
        model="small",
        sha256="0" * 64,
        counts=counts or {RowStatus.OK: 4, RowStatus.FAILED: 2, RowStatus.SKIPPED: 1},
        outbox=outbox,
    )


class _Draft(io.BytesIO):
    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__()
        self._before = before

    def write(self, chunk: Any, /) -> int:
        self._before()
        return super().write(chunk)

    def writelines(self, lines: Iterable[Any], /) -> None:
        # The inherited method would bypass `write`.
        for line in lines:
            self.write(line)


class _Drain(io.BufferedIOBase):
    def __init__(self, on_write: Callable[[int], object]) -> None:
        super().__init__()
        self._on_write = on_write

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any, /) -> int:
        self._on_write(len(chunk))
        return len(chunk)
