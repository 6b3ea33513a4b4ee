"""Purging: jobs of which a person wants everything deleted. Each write is one step, and repeatable."""

from __future__ import annotations

from ...domain.records import Job
from ...events import JobPurged
from ..database import Transaction
from .mapping import job_of
from .table import StoreTable, change


class Purging(StoreTable):
    """The columns of the table `jobs` about purging."""

    async def ordered(self, job: Job, at: float) -> None:
        """Commit a person's order to purge the job; from here on it is carried out, whatever happens."""
        columns = {"purge_ordered_at": at, "purged_at": None, "purge_result": None}
        await self._database.write(lambda tx: tx.update("jobs", {"id": job.id, "state": job.state}, **columns))

    async def under_way(self) -> list[Job]:
        """Jobs of which not everything is deleted yet."""
        return [job_of(row) for row in await self._rows("jobs_to_purge")]

    async def same_answers(self, job: str) -> list[Job]:
        """Other jobs that have the answers of this one, or will have them."""
        return [job_of(row) for row in await self._rows("same_answers", job=job)]

    @change
    def done(self, tx: Transaction, job: Job, event: JobPurged) -> None:
        """All that can be deleted is deleted."""
        where = {"id": job.id, "purge_ordered_at": job.purge_ordered_at}
        [now] = tx.fetch("job", id=job.id)
        if now["purge_result"] is None and tx.update("jobs", where, purged_at=tx.now, purge_result=event.sentence):
            for each in tx.fetch("family", family=job.id):
                tx.run("delete_parts", job=each["id"])
                tx.run("mark_swept", job=each["id"], at=tx.now)
            tx.record(event)
