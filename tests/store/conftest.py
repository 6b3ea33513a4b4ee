"""A store on a real SQLite file, and records to put into it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.records import Batch, BatchState, Job, JobState, Part, PartState
from batchd.domain.routing import PluginSpec, Route
from batchd.events import Event
from batchd.store.database import Database
from batchd.store.store import Store
from batchd.store.tables.mapping import columns_of
from batchd.testing.empty_database import put_empty_database

NOW = 1_800_000_000.0
ROUTE = Route(
    name="reviews",
    match=("reviews/**",),
    provider="acme",
    model="small",
    prompt=PluginSpec("template"),
    sinks=("csv", "db"),
)


class Opened(Store):
    """The store, and what it told."""

    def __init__(self, database: Database, told: list[Event], path: Path) -> None:
        super().__init__(database)
        self.told = told
        self.path = path

    async def put(self, *records: Job | Part | Batch) -> None:
        """Store records as they are, past all steps."""
        tables = {Job: "jobs", Part: "parts", Batch: "batches"}

        def change(tx: Any) -> None:
            for record in records:
                tx.insert(tables[type(record)], [columns_of(record)])

        await self.database.write(change)

    async def set(self, table: str, where: dict[str, Any], **columns: Any) -> None:
        """Change rows past all steps."""
        await self.database.write(lambda tx: tx.update(table, where, **columns))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that is committed, seen through a connection of its own."""
        connection = sqlite3.connect(self.path)
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}
        finally:
            connection.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Opened]:
    """An empty store."""
    told: list[Event] = []
    path = tmp_path / "batchd.db"
    put_empty_database(path)
    database = await Database.open(path, now=lambda: NOW, on_event=told.append)
    opened = Opened(database, told, path)
    yield opened
    await opened.close()


def job(state: JobState = JobState.CLAIMED, name: str = "job", **more: Any) -> Job:
    """A job in this state."""
    given: dict[str, Any] = {
        "source": f"{name}.csv",
        "inbox_path": f"{name}.csv".encode(),
        "stamp": (1, 2, 3, 4),
        "route": ROUTE,
        "size": 2,
        "claimed_at": 1.0,
    }
    return Job(id=name, state=state, **(given | more))


def part(first: int = 0, state: PartState = PartState.UNPLANNED, job: str = "job", **more: Any) -> Part:
    """A part of ten rows."""
    return Part(job=job, first=first, rows=10, offset=first * 100, length=1_000, state=state, **more)


def batch(state: BatchState = BatchState.PACKED, key: str = "batch", **more: Any) -> Batch:
    """A batch of ten requests."""
    given: dict[str, Any] = {
        "provider": "acme",
        "model": "small",
        "endpoint": "/v1/chat/completions",
        "requests": 10,
        "size": 1_000,
        "input_tokens": 100,
        "created_at": 1.0,
    }
    return Batch(key=key, state=state, **(given | more))
