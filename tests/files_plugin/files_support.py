"""What the tests of batchd_files share: files to read, an outbox in memory, rows to publish."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hypothesis import HealthCheck, settings

from batchd import BadRow, DeliveryJob, Failure, FileRefused, Outbox, Reader, ResultRow, ResultRows, RowStatus, Source

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests: a slow machine must not fail them."""


def read(reader: Reader[Any], path: Path) -> tuple[list[str], list[Any]]:
    """The columns, and every record after them."""
    columns, *records = reader.read(Source(path, path.name))
    return list(columns), records


def refused(reader: Reader[Any], path: Path) -> FileRefused:
    """The refusal of a file. Asserts that there is one and that its message says what to do."""
    try:
        records = list(reader.read(Source(path, path.name)))
    except FileRefused as refusal:
        assert_tells_what_to_do(str(refusal))
        return refusal
    raise AssertionError(f"the file was read: {records[:5]}")


ADVICE = (
    "drop", "save", "set ", "write", "close it", "put quotes", "correct", "remove", "rename", "shorten", "must be",
)  # fmt: skip


def assert_tells_what_to_do(message: str) -> None:
    """A sentence for a person: begins with a capital, ends with a full stop, and says how to fix the problem."""
    assert message[0].isupper(), message
    assert message.endswith("."), message
    assert any(word in message.lower() for word in ADVICE), message
    for jargon in ("Traceback", "codec", "Error(", "None"):
        assert jargon not in message, message


class MemoryOutbox(Outbox):
    """An outbox in memory. A file appears in it complete or not at all."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def publishing(self, suffix: str) -> Iterator[IO[bytes]]:
        """See Outbox."""
        assert suffix not in self.files, "published twice in one delivery"
        file = io.BytesIO()
        yield file
        self.files[suffix] = file.getvalue()


class Rows(ResultRows):
    """Rows of a job, from a list."""

    def __init__(self, columns: Sequence[str], answer_columns: Sequence[str], rows: Sequence[ResultRow]) -> None:
        self.columns = columns
        self.answer_columns = answer_columns
        self.rows = rows

    def __iter__(self) -> Iterator[ResultRow]:
        return iter(self.rows)

    async def __aiter__(self) -> AsyncIterator[ResultRow]:
        for row in self.rows:
            yield row


def job(outbox: Outbox) -> DeliveryJob:
    """A job to publish."""
    return DeliveryJob(
        id="20261123-abc",
        source="reviews/may.csv",
        route="reviews",
        provider="sandbox",
        model="small",
        sha256="0" * 64,
        counts={},
        outbox=outbox,
    )


def answered(number: int, values: Sequence[Any], answer: Sequence[Any], raw: bytes | None = None) -> ResultRow:
    """A row with an answer."""
    return ResultRow(number, values, values, RowStatus.OK, answer, None, None, raw)


def failed(
    number: int,
    values: Sequence[Any],
    failure: Failure | None = None,
    *,
    original: Sequence[Any] | None = None,
    raw: bytes | None = None,
) -> ResultRow:
    """A failed row."""
    failure = failure or Failure("unparsable", "The answer has two pieces.")
    return ResultRow(number, values, values if original is None else original, RowStatus.FAILED, (), failure, None, raw)


def skipped(number: int, values: Sequence[Any]) -> ResultRow:
    """A row of a cancelled job."""
    failure = Failure("cancelled", "The job was cancelled.")
    return ResultRow(number, values, values, RowStatus.SKIPPED, (), failure, None, None)


def bad(records: Sequence[Any]) -> list[BadRow]:
    """The records that are not rows."""
    return [record for record in records if isinstance(record, BadRow)]
