"""Converts rows of the database to records, and back."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ...domain.records import Asked, Batch, BatchState, HeldFor, Job, JobState, Moment, Part, PartState, Trial
from ...domain.routing import Route
from ...model import BatchPhase, BatchStatus, Dialect, Usage
from ...money.lanes import Lane
from ...money.pricing import Terms
from ..database import to_json

_NAMES: dict[type, Mapping[str, None]] = {
    record: dict.fromkeys(field.name for field in dataclasses.fields(record)) for record in (Job, Part, Batch)
}
_JSON_COLUMNS = frozenset(
    ("stamp", "columns", "answer_columns", "description", "extra_remotes", "details", "problems", "fingerprint")
)


def job_of(row: sqlite3.Row) -> Job:
    """A Job from its row."""
    return _job_of(tuple(row.keys()), tuple(row))


@lru_cache(maxsize=256)
def _job_of(names: tuple[str, ...], row: tuple[Any, ...]) -> Job:
    # Cached, since a step reads the job that the look before it has read: most rows come several times.
    record = _loaded(names, row, Job)
    record["state"] = JobState(record["state"])
    record["route"] = route_of(record["route"])
    record["stamp"] = tuple(record["stamp"])
    record["cancelled"] = bool(record["cancelled"])
    record["dialect"] = None if record["dialect"] is None else Dialect(**json.loads(record["dialect"]))
    record["terms"] = None if record["terms"] is None else Terms.from_json(json.loads(record["terms"]))
    before = record["before_fallback"]
    record["before_fallback"] = None if before is None else _asked_of(json.loads(before))
    record["trial"] = None if record["trial"] is None else Trial(record["trial"])
    record["step_columns"] = None if record["step_columns"] is None else json.loads(record["step_columns"])
    return Job(**record)


def _asked_of(record: dict[str, Any]) -> Asked:
    terms = record["terms"]
    return Asked(record["provider"], record["model"], None if terms is None else Terms.from_json(terms))


@lru_cache(maxsize=256)
def route_of(text: str) -> Route:
    """A Route from the snapshot that is stored: thousands of jobs carry the very same one."""
    return Route.from_json(json.loads(text))


class Asking(NamedTuple):
    """Where and how the rows of a job are asked. Jobs with equal values may wait together."""

    provider: str
    model: str
    endpoint: str
    recipe: str
    route: str


@lru_cache(maxsize=256)
def asking_of(text: str) -> Asking:
    """How the rows of a job with this stored route are asked."""
    route = route_of(text)
    return Asking(route.provider, route.model, route.endpoint, route.recipe, route.name)


def part_of(row: sqlite3.Row) -> Part:
    """A Part from its row."""
    record = _loaded(row.keys(), row, Part)
    record["state"] = PartState(record["state"])
    record["usage"] = usage_of(record["usage"])
    record["wasted"] = usage_of(record["wasted"])
    record["saved"] = usage_of(record["saved"])
    record["later"] = bool(record["later"])
    return Part(**record)


def batch_of(row: sqlite3.Row) -> Batch:
    """A Batch from its row."""
    return _batch_of(tuple(row.keys()), tuple(row))


@lru_cache(maxsize=256)
def _batch_of(names: tuple[str, ...], row: tuple[Any, ...]) -> Batch:
    # Cached, since a batch with rows of a thousand files is read for each of them.
    record = _loaded(names, row, Batch)
    record["state"] = BatchState(record["state"])
    record["phase"] = None if record["phase"] is None else BatchPhase(record["phase"])
    for name in ("intent", "heard", "progress", "stopping"):
        record[name] = None if record[name] is None else Moment(**json.loads(record[name]))
    record["usage"] = None if record["usage"] is None else usage_of(record["usage"])
    record["wanted"] = bool(record["wanted"])
    record["lane"] = Lane(record["lane"])
    record["held_for"] = None if record["held_for"] is None else HeldFor(record["held_for"])
    return Batch(**record)


def columns_of(record: Job | Part | Batch) -> dict[str, Any]:
    """A record as the columns of its table."""
    columns = {name: getattr(record, name) for name in _NAMES[type(record)]}
    for name, value in columns.items():
        if isinstance(value, Route | Terms | Asked):
            columns[name] = to_json(value.to_json())
        elif isinstance(value, Usage):
            columns[name] = to_json(usage_columns(value))
        elif isinstance(value, Moment | Dialect):
            columns[name] = to_json(dataclasses.asdict(value))
        elif name in _JSON_COLUMNS or (name == "step_columns" and value is not None):
            columns[name] = to_json(value)
    return columns


def usage_columns(usage: Usage) -> list[int]:
    """How Usage is stored: input, cached input and output tokens, then what was written to a cache, if anything was."""
    writes = [usage.cache_writes, usage.long_writes] if usage.cache_writes or usage.long_writes else []
    return [usage.input_tokens, usage.cached_tokens, usage.output_tokens, *writes]


@lru_cache(maxsize=256)
def usage_of(text: str) -> Usage:
    """Usage as it was stored."""
    return Usage(*json.loads(text))


def moment_column(intent: Moment) -> str:
    """How a Moment is stored."""
    return to_json(dataclasses.asdict(intent))


def status_columns(status: BatchStatus) -> dict[str, Any]:
    """The columns of a batch that its status gives."""
    return {
        "phase": status.phase,
        "completed": status.completed,
        "failed": status.failed,
        "total": status.total,
        "details": to_json(dict(status.details)),
        "problems": to_json([dataclasses.asdict(problem) for problem in status.problems]),
        "usage": to_json(usage_columns(status.usage)) if status.usage is not None else None,
        "answers_until": status.answers_until,
    }


def _loaded(names: Sequence[str], row: Iterable[Any], record: type[Job | Part | Batch]) -> dict[str, Any]:
    # All columns in one pass: sqlite3.Row searches all its columns anew for each name.
    wanted = _NAMES[record]
    loaded = {name: value for name, value in zip(names, row, strict=True) if name in wanted}
    for name in loaded.keys() & _JSON_COLUMNS:
        loaded[name] = json.loads(loaded[name])
    return loaded
