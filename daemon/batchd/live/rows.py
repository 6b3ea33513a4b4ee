"""A batch under way by live calls: its rows in the order of the file, those that wait for another try, its journal."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..answers.meaning import read_line
from ..model import RequestId
from ..sending.useless_answers import FIRST, Came, Suspicion, judge, suspect
from .journal import Journal, JournalState

BYTES_PER_TOKEN = 3.0
"""Of a request as JSON. Only the ratios between rows matter, since the rate is learned in the same unit."""


class _Line(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw


@dataclass(slots=True)
class CallRow:
    """A row that is to be asked, or is being asked. Times are of the event loop."""

    custom_id: str
    body: bytes
    tokens: float
    over: int = 0
    """How many of its calls are certainly over without an answer to the row."""
    broken: int = 0
    broken_at: float = math.inf
    refused_alone: int = 0
    begun: float = 0.0


@dataclass(eq=False, slots=True)
class LiveBatch:
    """A batch and how far it is."""

    key: str
    requests: int
    endpoint: str
    journal: Journal
    job: str = ""
    """The job of these rows: jobs take turns."""
    weight: int = 1
    """How many turns it gets for each turn of another job."""
    completed: int = 0
    failed: int = 0
    in_flight: int = 0
    cancelled: bool = False
    unsure: set[str] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the batch has ended, and when its lane stops or goes on."""
    held: bool = False
    """A person has paused it: no call begins."""
    over: bool = False
    first_answers: list[Suspicion] | None = None
    """The answers of no use, while there are no others: meanwhile few rows are asked. None: nothing to check."""
    _rows: Iterator[CallRow] = field(default_factory=lambda: iter(()))
    _next: CallRow | None = None
    _again: list[tuple[float, int, CallRow]] = field(default_factory=list)
    _last: deque[CallRow] = field(default_factory=deque)
    _number: int = 0

    @classmethod
    def open(cls, key: str, file: Path, path: Path, past: JournalState) -> LiveBatch:
        """Continue a batch from its journal: rows with an outcome are not asked again."""
        journal = Journal(path, past)
        for custom_id in sorted(past.open):
            journal.note("~", custom_id)
        batch = cls(
            key=key,
            requests=int(past.head["requests"]),
            endpoint=str(past.head["endpoint"]),
            journal=journal,
            completed=len(past.answered) - past.failed,
            failed=past.failed,
            cancelled=past.cancelled,
            unsure=past.unsure | past.open,
        )
        batch._rows = _rows_of(file, past)
        row = batch._peek(0.0)
        request = RequestId.read(row.custom_id) if row is not None else None
        batch.job = request.job if request is not None else key
        if batch.requests - len(past.answered) > 2 * FIRST:
            batch.first_answers = []
        try:
            journal.write()
        except OSError:
            journal.let_go()  # the next poll opens it again
            raise
        return batch

    def peek(self, now: float) -> CallRow | None:
        """The row to ask next, None if none may be asked now."""
        return None if self.held else self._peek(now)

    def _peek(self, now: float) -> CallRow | None:
        if self.cancelled:
            return None
        if self.first_answers is not None and self.in_flight + len(self.first_answers) >= FIRST:
            return None
        if self._again and self._again[0][0] <= now:
            return self._again[0][2]
        if self._next is None:
            self._next = next(self._rows, None)
        return self._next if self._next is not None else next(iter(self._last), None)

    def take(self, row: CallRow) -> None:
        """Take out the row that `peek` gave: it is asked now."""
        if row is self._next:
            self._next = None
        elif self._last and row is self._last[0]:
            self._last.popleft()
        else:
            heapq.heappop(self._again)
        self.in_flight += 1

    def put_back(self, row: CallRow, when: float) -> None:
        """Ask the row again at that time, not before."""
        self.in_flight -= 1
        self._number += 1
        heapq.heappush(self._again, (when, self._number, row))

    def put_last(self, row: CallRow) -> None:
        """Ask the row again after all others."""
        self.in_flight -= 1
        self._last.append(row)

    def settled(self, line: bytes, *, ok: bool) -> None:
        """Note the outcome of a row, which counts once the line is written."""
        self.in_flight -= 1
        self.journal.add(line)
        self.completed += ok
        self.failed += not ok

    def is_useless(self, row: CallRow, line: bytes) -> bool:
        """Whether this answer and all before it are of no use, so that no more rows should be asked."""
        if self.first_answers is None:
            return False
        suspicion = suspect(Came.of(read_line(line)), row.body)
        if suspicion is not None:
            self.first_answers.append(suspicion)
            if len(self.first_answers) < FIRST:
                return False
            if judge(self.first_answers) is not None:
                return True
        self.first_answers = None
        return False

    async def cancel(self) -> None:
        """Commit that no more calls begin."""
        self.cancelled = True
        self.in_flight += 1  # so that the journal stays open meanwhile
        try:
            await self.journal.note_cancelled()
        finally:
            self.in_flight -= 1

    @property
    def again_at(self) -> float:
        """When the next row that waits may be asked."""
        return self._again[0][0] if self._again and not (self.cancelled or self.held) else math.inf

    @property
    def done(self) -> bool:
        """Whether no call is under way and none will begin."""
        return self.in_flight == 0 and (self.cancelled or (not self._again and self._peek(0.0) is None))


def _rows_of(file: Path, past: JournalState) -> Iterator[CallRow]:
    decoder = msgspec.json.Decoder(_Line)
    with file.open("rb") as lines:
        for text in lines:
            line = decoder.decode(text)
            if line.custom_id not in past.answered:
                body = bytes(line.body)
                yield CallRow(line.custom_id, body, len(body) / BYTES_PER_TOKEN, over=past.over[line.custom_id])
