"""Tries: jobs of some rows of a file, for a person to look at the answers."""

from __future__ import annotations

from ...domain.records import Job, JobState, Part
from ...events import TryBegun, TryEnded
from ..database import Database, Transaction
from .mapping import columns_of


class Tries:
    """The tries in the tables `jobs` and `parts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begun(self, job: Job, part: Part, event: TryBegun) -> None:
        """The rows lie in the spool; they are asked."""

        def take(tx: Transaction) -> None:
            if tx.insert("jobs", [columns_of(job)], otherwise="OR IGNORE"):
                tx.insert("parts", [columns_of(part)])
                tx.record(event)

        await self._database.write(take)

    async def ended(self, job: Job, state: JobState, event: TryEnded) -> None:
        """All there will be is in the spool."""

        def take(tx: Transaction) -> None:
            if tx.update("jobs", {"id": job.id, "state": job.state}, state=state, finished_at=tx.now):
                tx.record(event)

        await self._database.write(take)
