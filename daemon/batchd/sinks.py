"""The contract of a Sink, and what it is given: a job's rows with their outcomes, and the outbox."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO

import msgspec

from .columns import free_names
from .model import Dialect, Failure, Json, RowStatus, Usage
from .plugin_base import Plugin, SettingsT
from .receipts import Receipt as Receipt

OWN_COLUMNS = ("status", "error")
"""The columns that batchd adds at the end of the results."""


def names_of_results(columns: Sequence[str], answer_columns: Sequence[str]) -> list[str]:
    """The names of all columns of the results, all different: the input's, the answer's, `status` and `error`."""
    names = [*columns, *answer_columns]
    return [*names, *free_names(names, OWN_COLUMNS)]


class ResultRow(msgspec.Struct, frozen=True):
    """One row of the dropped file with its outcome.

    `number` counts from 0. `values` are the input's, one per column, in order; `original` is the record as it was
    read, which differs if the record had too few or too many cells. `answer` is in the order of
    `ResultRows.answer_columns`; empty unless `status` is ok or the row's Failure has an `answer`. `raw` is the
    provider's own output line (JSON), None if there was none. `names` are `ResultRows.names`.
    """

    number: int
    values: Sequence[Json]
    original: Sequence[Json]
    status: RowStatus
    answer: Sequence[Json]
    failure: Failure | None
    usage: Usage | None
    raw: bytes | None
    names: Sequence[str] = ()

    @property
    def cells(self) -> list[Json]:
        """All values of the row's line in the results, one for each of `ResultRows.names`."""
        answer = self.answer or [None] * (len(self.names) - len(self.values) - len(OWN_COLUMNS))
        return [*self.values, *answer, self.status.value, None if self.failure is None else self.failure.message]

    def as_dict(self) -> dict[str, Json]:
        """Column to value, as in the results: the input's columns, the answer's, `status` and `error`."""
        return dict(zip(self.names, self.cells, strict=True))


class ResultRows(Iterable[ResultRow], AsyncIterable[ResultRow], ABC):
    """All rows of a job in input order. May be iterated many times, with the same result each time.

    Use `for` in a thread, `async for` on the event loop (which reads ahead in a thread).
    """

    columns: Sequence[str]
    """The input's columns."""
    answer_columns: Sequence[str]
    """The answer's columns; a name that the input has too gets a number: `answer (2)`."""
    dialect: Dialect | None = None
    """How the dropped file was written, if its Reader tells."""

    @property
    def names(self) -> list[str]:
        """The names of all columns of the results, all different: the input's, the answer's, `status` and `error`."""
        return names_of_results(self.columns, self.answer_columns)


class Outbox(ABC):
    """The folder where a sink puts files for people. It chooses names that are free: nothing is ever overwritten."""

    @abstractmethod
    def publishing(self, suffix: str) -> AbstractContextManager[IO[bytes]]:
        """Write the job's file with this suffix (`.results.csv`): complete or not at all.

        A context manager around a binary file. The file appears in the outbox when the block ends, and not at all
        if the block raises.
        """


@dataclass(frozen=True, slots=True)
class DeliveryJob:
    """The job that a sink publishes. `source` is the file's path in the inbox, `counts` its rows by status."""

    id: str
    source: str
    route: str
    provider: str
    model: str
    sha256: str
    counts: Mapping[RowStatus, int]
    outbox: Outbox


class Sink(Plugin[SettingsT]):
    """Puts a job's joined rows somewhere."""

    @abstractmethod
    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt | None:
        """Publish the whole job; return where it is, or None if it is in the outbox alone.

        Called again for the same job after a crash, it must give the same result.

        Do long work in a thread (`asyncio.to_thread`), so that the event loop is not blocked. After any exception
        batchd tries again later. It reports all but `TransientError` and `OSError` as a fault of the plugin.
        """

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the place that this sink writes to, a sentence each."""
        return ()

    async def background(self) -> None:
        """Do work beside all calls, such as renewing a token. batchd cancels it before `aclose`.

        batchd logs what it raises, and calls it again after a pause, longer each time. If it returns, it is done.
        """

    async def aclose(self) -> None:
        """Close connections. Called once, at the end."""
