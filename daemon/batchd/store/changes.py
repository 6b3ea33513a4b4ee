"""Lists what has changed since the last look. Triggers of SQLite keep the list, in memory.

A look for work reads only this list. Without it, each look would read every job and batch that is not done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from ..domain.records import Batch, JobState
from .database import Database, Transaction
from .tables.mapping import Asking, asking_of, batch_of


class ChangedJob(Struct, frozen=True):
    """A job as a look needs it. `has_work` says that there may be something to do for it now.

    `waiting` is how its rows are asked, if some of its parts wait for a batch. `late` says that they are to be asked by
    live calls. `provider` is the one that it may wait for soon, if its rows are being prepared or asked.
    """

    id: str
    state: JobState
    claimed_at: float
    has_work: bool
    waiting: Asking | None
    late: bool
    provider: str | None = None


_ASKING = frozenset({JobState.PLANNING, JobState.RUNNING})


class ChangedRecords(Struct, frozen=True):
    """All that has changed. `job_ids` and `batch_keys` also name jobs and batches that are finished or deleted."""

    job_ids: Sequence[str]
    jobs: Sequence[ChangedJob]
    batch_keys: Sequence[str]
    batches: Sequence[Batch]


NOTHING = ChangedRecords((), (), (), ())


class ChangeLog:
    """The tables `changed_jobs` and `changed_batches`, which this process alone sees. They begin with all open ones."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits = -1

    async def take(self) -> ChangedRecords:
        """Return what has changed since the last call, and empty the list."""
        if self._commits == self._database.commits:
            return NOTHING
        commits = self._database.commits

        def look(tx: Transaction) -> ChangedRecords:
            job_ids = [row["id"] for row in tx.fetch("changed_jobs")]
            batch_keys = [row["key"] for row in tx.fetch("changed_batches")]
            jobs = [_changed_job(row) for row in (tx.fetch("changed_jobs_in_work") if job_ids else ())]
            batches = [batch_of(row) for row in (tx.fetch("changed_batches_in_work") if batch_keys else ())]
            if job_ids:
                tx.run("forget_changed_jobs")
            if batch_keys:
                tx.run("forget_changed_batches")
            return ChangedRecords(job_ids, jobs, batch_keys, batches)

        changed = await self._database.read_beside_writes(look)
        self._commits = commits
        return changed


def _changed_job(row: sqlite3.Row) -> ChangedJob:
    state = JobState(row["state"])
    asking = asking_of(row["route"]) if state in _ASKING else None
    return ChangedJob(
        row["id"],
        state,
        row["claimed_at"],
        bool(row["has_work"]),
        asking if row["waiting"] else None,
        row["late_at"] is not None,
        asking.provider if asking is not None else None,
    )
