"""Chains: jobs whose answered rows are the input of another job. Each write is one step, and repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from ...domain.records import Job, JobState, Part
from ...events import Event
from ..database import Transaction, to_json
from .mapping import columns_of, job_of
from .steps import change_job, put_parts, take_unwanted_back
from .table import StoreTable, change


class Revived(Struct, frozen=True):
    """A job of a chain that is to be asked again, with its new parts and the other columns that change."""

    job: Job
    parts: Sequence[Part]
    columns: Mapping[str, Any] = field(default_factory=dict)


class Chains(StoreTable):
    """The chains in the tables `jobs` and `parts`."""

    async def family(self, job: Job) -> list[Job]:
        """All jobs of its chain: the one that took the file, then the later steps in their order."""
        return [job_of(row) for row in await self._rows("family", family=job.first_step)]

    async def steps_of(self, job: Job) -> list[Job]:
        """The jobs that its rows were handed on to, one for each round."""
        return [job_of(row) for row in await self._rows("steps_of", family=job.first_step, parent=job.id)]

    @change
    def handed_on(self, tx: Transaction, job: Job, step: Job | None, parts: Sequence[Part], *events: Event) -> None:
        """The job's answered rows are the rows of `step` now, and the job waits for it. None: no row was answered."""
        if not change_job(tx, job.id, job.state, JobState.CHAINED) or step is None:
            return
        if tx.insert("jobs", [columns_of(step)], otherwise="OR IGNORE"):
            tx.insert("parts", (columns_of(part) for part in parts))
            tx.record(*events)

    @change
    def joined(self, tx: Transaction, job: Job, parts: Sequence[Part], answer_columns: Sequence[str]) -> None:
        """The outcomes of the later steps are joined to the job's own."""
        own = to_json(list(job.answer_columns))
        columns = {"answer_columns": to_json(list(answer_columns)), "step_columns": own}
        if tx.update("jobs", {"id": job.id, "state": JobState.CHAINED}, **columns):
            put_parts(tx, parts)

    async def step_ended(self, job: Job, event: Event, at: float) -> None:
        """A later step has an outcome for each row."""
        state = JobState.CANCELLED if job.cancelled else JobState.DONE
        await self._database.write(lambda tx: change_job(tx, job.id, job.state, state, event, finished_at=at))

    @change
    def cancelled(self, tx: Transaction, family: Sequence[Job], event: Event) -> bool:
        """A person's order for a whole chain: nothing more is asked.

        If its first job, which took the file, has gone on or is cancelled already, return False and change nothing.
        """
        waiting = {"id": family[0].id, "state": JobState.CHAINED, "cancelled": 0}
        if not tx.update("jobs", waiting, cancelled=1):
            return False
        for job in family[1:]:
            if tx.run("cancel_step", job=job.id):
                tx.run("unwanted_batches", job=job.id)
        take_unwanted_back(tx)
        tx.record(event)
        return True

    @change
    def revived(self, tx: Transaction, family: Sequence[Revived], event: Event) -> bool:
        """A person's order for a whole chain: rows without an answer are asked again, in whichever step.

        If a job is not in the state that it had, return False and change none of them.
        """
        found = [row["state"] for each in family for row in tx.fetch("job", id=each.job.id)]
        if found != [each.job.state for each in family]:
            return False
        for each in family:
            job = each.job
            tx.update("jobs", {"id": job.id, "state": job.state}, state=JobState.PLANNING, **each.columns)
            put_parts(tx, each.parts)
            tx.run("delete_deliveries", job=job.id)
        tx.record(event)
        return True
