"""Jobs of which some rows were asked first, until a person has seen their answers: pilots, and useless answers."""

from __future__ import annotations

from ...domain.records import Job, JobState
from ...domain.states import PILOT
from ...events import JobHeld, PilotApproved
from ..database import Database, Transaction
from .orders import Door


class Pilots:
    """The pilots in the tables `jobs` and `parts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def shown(self, job: Job, reason: str, code: str = PILOT) -> None:
        """Some answers lie where people see them, or are told in the reason; the job waits for a person."""

        def take(tx: Transaction) -> None:
            where = {"id": job.id, "state": job.state, "cancelled": 0}
            if tx.update("jobs", where, state=JobState.HELD, reason=reason, reason_code=code):
                tx.record(JobHeld(job=job.id, source=job.source, reason=reason, code=code))

        await self._database.write(take)

    async def were_useless(self, job: Job) -> None:
        """What was spent on the answers that there are is wasted: all rows are asked again."""
        await self._database.write(lambda tx: tx.run("waste_spending", job=job.id))

    async def passed(self, job: Job) -> None:
        """Nobody is to look at the answers: the other rows are asked, too."""

        def take(tx: Transaction) -> None:
            where = {"id": job.id, "state": job.state, "cancelled": 0}
            if tx.update("jobs", where, state=JobState.PLANNING, trial=None):
                tx.run("ask_later_parts", job=job.id)

        await self._database.write(take)

    async def approved(self, job: Job, most: int | None, event: PilotApproved) -> None:
        """A person lets the other rows be asked, within the budget, or for so much in all."""

        def take(tx: Transaction) -> None:
            where = {"id": job.id, "state": JobState.HELD, "reason_code": PILOT}
            allowed = {} if most is None else {"approved": most}
            if not tx.update("jobs", where, state=JobState.PLANNING, trial=None, **allowed):
                return
            tx.run("ask_later_parts", job=job.id)
            tx.record(event)
            if event.where is not None:
                order = {"at": tx.now, "kind": "approve", "target": job.id, "door": Door.HELD_FOLDER.value}
                tx.insert("orders", [{**order, "done_at": tx.now, "answer": event.sentence}])

        await self._database.write(take)
