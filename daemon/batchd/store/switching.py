"""Jobs that are asked in another way than they began, since they would be late: one transaction for the whole switch.

Its batches are marked to be ended in the transaction that reserves the money for live calls. Their rows are asked again
only after the batches have ended and been collected, as those of any batch that ended early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..domain.records import Batch, Job, JobState, Part, PartState
from ..events import Event
from ..money.budget import MAX_AMOUNT, Refusal
from ..money.pricing import Terms
from .database import Database, Transaction, to_json
from .mapping import batch_of, job_of, part_of
from .money import FindRefusal, account_of


@dataclass(frozen=True, slots=True)
class WithDeadline:
    """A running job of a route with a deadline."""

    job: str
    route: str
    provider: str
    accepted_at: float


MostOf = Callable[[Part, Batch | None], int]
"""What a part can cost at most from now on, given the batch that holds it."""


class Switching:
    """The switch of a job to live calls, in `jobs`, `parts` and `batches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def with_deadline(self, routes: Iterable[str]) -> list[WithDeadline]:
        """Running jobs of these routes that are not late yet, the oldest first."""
        names = to_json(sorted(routes))
        rows = await self._database.read(lambda tx: tx.fetch("jobs_with_deadline", routes=names))
        return [WithDeadline(row["id"], row["route"], row["provider"], row["accepted_at"]) for row in rows]

    async def hasten(
        self,
        job: Job,
        *,
        terms: Terms | None,
        most: MostOf,
        currency: str,
        find_refusal: FindRefusal,
        event: Callable[[int], Event],
    ) -> Refusal | None:
        """Ask the job's rows by live calls from now on, and end its batches; nothing, and why, if money is missing.

        `event` is made of what the open rows can cost at most.
        """

        async def change(tx: Transaction) -> Refusal | None:
            found = await tx.fetch("job", id=job.id)
            if not found or found[0]["state"] != JobState.RUNNING or found[0]["cancelled"] or found[0]["late_at"]:
                return None
            costs = await _costs(tx, job.id, most)
            whole = min(sum(costs.values()), MAX_AMOUNT)
            account = replace(await account_of(tx, job_of(found[0]), currency), own=whole)
            refusal = find_refusal(account)
            if refusal is not None:
                return refusal
            for first, cost in costs.items():
                await tx.update("parts", {"job": job.id, "first": first}, reserved=cost)
            await tx.run("cut_batches", job=job.id, at=tx.now)
            await tx.run("release_unwanted_parts")
            await tx.run("return_unwanted_batches")
            terms_now = to_json(terms.to_json()) if terms else None
            await tx.update("jobs", {"id": job.id}, late_at=tx.now, terms=terms_now)
            await tx.record(event(whole))
            return None

        return await self._database.write(change)


async def _costs(tx: Transaction, job: str, most: MostOf) -> dict[int, int]:
    """What each open part can cost at most, by its first row."""
    costs: dict[int, int] = {}
    batches: dict[str, Batch] = {}
    for part in [part_of(row) for row in await tx.fetch("parts", job=job)]:
        if part.state is PartState.COLLECTED:
            continue
        if part.batch is not None and part.batch not in batches:
            [row] = await tx.fetch("batch", key=part.batch)
            batches[part.batch] = batch_of(row)
        costs[part.first] = min(most(part, batches[part.batch] if part.batch is not None else None), MAX_AMOUNT)
    return costs
