"""Jobs of which rows are asked first, for a person to look at the answers: tries, pilots, and useless answers."""

from __future__ import annotations

from ...domain.records import Job, JobState, Part
from ...domain.states import PILOT
from ...events import JobHeld, PilotApproved, TryBegun, TryEnded
from ..database import Transaction
from .mapping import columns_of
from .pilots import pilot_files
from .steps import change_job, note_approval, step
from .table import StoreTable, change, look


class Trials(StoreTable):
    """Tries, pilots and useless answers in the tables `jobs` and `parts`."""

    @change
    def try_begun(self, tx: Transaction, job: Job, part: Part, event: TryBegun) -> None:
        """The rows of a try lie in the spool; they are asked."""
        if tx.insert("jobs", [columns_of(job)], otherwise="OR IGNORE"):
            tx.insert("parts", [columns_of(part)])
            tx.record(event)

    async def try_ended(self, job: Job, state: JobState, event: TryEnded) -> None:
        """The try has ended, and its results are in the spool."""
        await self._database.write(lambda tx: change_job(tx, job.id, job.state, state, event, finished_at=tx.now))

    async def shown(self, job: Job, reason: str, code: str = PILOT) -> None:
        """Some answers lie where people see them, or stand in the reason; the job waits for a person."""
        where = {"id": job.id, "state": job.state, "cancelled": 0}
        event = JobHeld(job=job.id, source=job.source, reason=reason, code=code)
        columns = {"state": JobState.HELD, "reason": reason, "reason_code": code}
        await self._database.write(lambda tx: step(tx, "jobs", where, event, **columns))

    @look
    def pilot_files(self, tx: Transaction, job: Job) -> list[str]:
        """The files in the outbox that show the answers of the job's pilot."""
        return pilot_files(tx, job.id)

    @change
    def passed(self, tx: Transaction, job: Job) -> None:
        """No person has to look at the answers: the other rows are asked, too."""
        where = {"id": job.id, "state": job.state, "cancelled": 0}
        if tx.update("jobs", where, state=JobState.PLANNING, trial=None):
            tx.run("ask_later_parts", job=job.id)

    @change
    def approved(self, tx: Transaction, job: Job, most: int | None, event: PilotApproved) -> bool:
        """A person lets the other rows be asked, within the budget, or for `most` in all.

        False if the job does not wait for that any more.
        """
        where = {"id": job.id, "state": JobState.HELD, "reason_code": PILOT}
        allowed = {} if most is None else {"approved": most}
        if not tx.update("jobs", where, state=JobState.PLANNING, trial=None, **allowed):
            return False
        tx.run("ask_later_parts", job=job.id)
        note_approval(tx, event)
        return True
