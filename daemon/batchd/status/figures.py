"""Figures for monitoring: what has happened so far, and what there is now. No names of files, and few labels."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from ..domain.subjects import Subject, SubjectKind
from ..money.pricing import unit
from ..store.reading.figures import NewEvents, OfNow, new_events, of_now
from ..store.reading.records import FINAL
from ..store.reading.snapshot import snapshot
from .expected import usual_times
from .room import no_room
from .spending import limits

if TYPE_CHECKING:
    from ..money.budget import Limit
    from .places import Places

Labels: TypeAlias = tuple[str, ...]
MAX_CODES = 200
"""Codes that have a label of their own; a service may invent any number of names for its errors."""
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Family(Struct, frozen=True):
    """Figures of one name, by the values of their labels. `counts` says that they only grow."""

    name: str
    says: str
    labels: Labels
    samples: Mapping[Labels, float]
    counts: bool = False


class Figures:
    """Counts events: each look reads only those that are new since the last look."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._last = 0
        self._kinds: Counter[Labels] = Counter()
        self._rows: Counter[Labels] = Counter()
        self._failures: Counter[Labels] = Counter()
        self._returned: Counter[Labels] = Counter()
        self._raised: Counter[Labels] = Counter()
        self._batches: Counter[Labels] = Counter()

    def look(self, places: Places) -> list[Family]:
        """All figures of this moment. Raise StateUnusable, in words, if the database cannot be read."""
        now = time.time()
        with snapshot(places.state) as state:
            new, today = new_events(state, self._last), of_now(state)
            conditions = [*no_room(places.state), *state.conditions()]
            usual = usual_times(state)
        if new.last < self._last:  # another database was put there
            self._clear()
            return self.look(places)
        self._count(new)
        kinds = Counter(_kind_of(each.subject) for each in conditions)
        return [
            *_of_jobs(today, now),
            *_of_batches(today, now),
            _gauge("usual_batch_seconds", "How long a batch usually takes", ("provider", "lane"), usual),
            *_of_spending(today),
            *_of_limits(limits(places, now), places.currency),
            _gauge("conditions", "What keeps batchd waiting now", ("kind", "name"), kinds),
            _counter("conditions_raised", "Conditions that have come up so far", ("kind", "name"), self._raised),
            _counter("rows", "Rows of finished jobs", ("route", "outcome"), self._rows),
            _counter("row_failures", "Rows that failed for good, by code", ("provider", "code"), self._failures),
            _counter("row_retries", "Rows that were asked again, by reason", ("provider", "code"), self._returned),
            _counter("batch_events", "Events of batches, by kind", ("provider", "kind"), self._batches),
            _counter("events", "Events, by kind", ("kind",), self._kinds),
        ]

    def _count(self, new: NewEvents) -> None:
        self._last = new.last
        self._kinds.update({(row["kind"],): row["number"] for row in new.kinds})
        self._batches.update({(row["provider"], row["kind"]): row["number"] for row in new.batches})
        for row in new.finished:
            for outcome in ("ok", "failed", "skipped"):
                self._rows[row["route"] or "", outcome] += row[outcome] or 0
        for counter, rows in ((self._failures, new.failures), (self._returned, new.returned)):
            for row in rows:
                key = (row["provider"] or "", _code(row["code"]))
                counter[key if key in counter or len(counter) < MAX_CODES else (key[0], "other")] += row["number"]
        for row in new.raised:
            self._raised[_kind_of(Subject.parse(row["subject"]))] += row["number"]


def _of_jobs(today: OfNow, now: float) -> Iterator[Family]:
    states = {(row["state"],): row for row in today.jobs}
    yield _gauge("jobs", "Jobs by state", ("state",), {key: row["number"] for key, row in states.items()})
    ages = {key: max(0.0, now - row["oldest"]) for key, row in states.items() if key[0] not in FINAL}
    yield _gauge("oldest_job_age_seconds", "How long ago the oldest job in a state came", ("state",), ages)
    rows = {(row["route"] or "", row["state"]): row["rows"] for row in today.open_rows}
    yield _gauge("open_rows", "Rows without an outcome, by the state of their part", ("route", "state"), rows)
    beat = {} if today.heartbeat is None else {(): max(0.0, now - today.heartbeat)}
    yield _gauge("heartbeat_age_seconds", "How long ago the daemon wrote to its database", (), beat)


def _of_batches(today: OfNow, now: float) -> Iterator[Family]:
    labels = ("provider", "lane", "state")
    found = {(row["provider"], row["lane"], row["state"]): row for row in today.batches}
    for name, says, column in (
        ("batches", "Batches that are not done, by state", "number"),
        ("batch_requests", "Requests in batches that are not done", "requests"),
        ("batch_answers", "Requests in these batches that the provider has answered", "answered"),
    ):
        yield _gauge(name, says, labels, {key: row[column] for key, row in found.items()})
    ages = {key: max(0.0, now - row["oldest"]) for key, row in found.items()}
    yield _gauge("oldest_batch_age_seconds", "How long ago the oldest of these batches was sent, or made", labels, ages)


def _of_spending(today: OfNow) -> Iterator[Family]:
    labels = ("route", "provider", "model", "lane")
    answers: Counter[Labels] = Counter()
    tokens: Counter[Labels] = Counter()
    spent: dict[Labels, float] = {}
    for row in today.spent:
        key = tuple(row[name] for name in labels)
        answers[key] += row["answers"]
        for direction, column in _DIRECTIONS.items():
            tokens[*key, direction] += row[column]
        if row["currency"]:
            spent[*key, row["currency"]] = row["cost"] / unit(row["currency"])
    yield _counter("answers", "Answers that were billed", labels, answers)
    says = "Tokens that were billed; wasted are those of output that answered no row"
    yield _counter("tokens", says, (*labels, "direction"), tokens)
    yield _counter("spent", "Money, in units of its currency", (*labels, "currency"), spent)


def _of_limits(found: Sequence[Limit], currency: str) -> Iterator[Family]:
    for name, says, part in (
        ("budget_allowed", "The limits of the budget", "allowed"),
        ("budget_used", "How much of each limit is spent", "spent"),
        ("budget_reserved", "What jobs under way can still cost", "reserved"),
    ):
        yield _gauge(name, says, ("limit",), {(each.name,): getattr(each, part) / unit(currency) for each in found})


_DIRECTIONS: Mapping[str, str] = {"input": "input_tokens", "output": "output_tokens", "wasted": "wasted_output"}


def _gauge(name: str, says: str, labels: Labels, values: Mapping[Any, float]) -> Family:
    return Family(name, says, labels, dict(sorted(values.items())))


def _counter(name: str, says: str, labels: Labels, values: Mapping[Labels, float]) -> Family:
    return Family(name, says, labels, dict(sorted(values.items())), counts=True)


def _code(code: object) -> str:
    text = str(code)
    return text if _CODE.fullmatch(text) else "other"


def _kind_of(subject: Subject) -> tuple[str, str]:
    """The subject's kind, and its name for kinds with few names: jobs and files are not told apart."""
    kind = subject.kind.name.lower()
    known = subject.kind in (SubjectKind.PROVIDER, SubjectKind.SINK, SubjectKind.PACKING, SubjectKind.PLUGIN)
    return kind, subject.name if known else ""
