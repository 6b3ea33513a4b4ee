"""Switches jobs to another way of asking: to live calls because they would be late, or to a fallback.

The whole switch is one transaction: the money for it, and the marks on batches that are to be ended. Rows in these
batches are asked again only after the batches have ended and been collected, as with any batch that ended early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from ...domain.records import Asked, Batch, Job, JobState, Part, PartState
from ...events import Event
from ...money.budget import MAX_AMOUNT, Account, Refusal
from ...values import replace
from ..database import Transaction, to_json
from .mapping import batch_of, job_of, part_of
from .money import account_of
from .steps import take_unwanted_back
from .table import StoreTable, change


class WithDeadline(Struct, frozen=True):
    """A running job of a route with a deadline."""

    job: str
    route: str
    provider: str
    accepted_at: float
    moved: bool


class Switch(Struct, frozen=True):
    """How a job is asked from now on: by live calls if it is `late`, at the provider and the prices of `asked`.

    `most` says what a part can cost at most then, given the batch that holds it; `event` makes the event from the sum.
    """

    late: bool
    asked: Asked
    most: Callable[[Part, Batch | None], int]
    event: Callable[[int], Event]


class Switching(StoreTable):
    """The switch of a job to live calls or a fallback, in `jobs`, `parts` and `batches`."""

    async def with_deadline(self, routes: Iterable[str]) -> list[WithDeadline]:
        """Running jobs of these routes that are not late yet, the oldest first."""
        return [WithDeadline(*row) for row in await self._rows("jobs_with_deadline", routes=to_json(sorted(routes)))]

    async def to_move(self, routes: Iterable[str]) -> list[tuple[str, str, str]]:
        """Running jobs of these routes with rows that their provider does not hold: id, route, provider."""
        rows = await self._rows("jobs_to_move", routes=to_json(sorted(routes)))
        return [(row["id"], row["route"], row["provider"]) for row in rows]

    @change
    def switch(
        self,
        tx: Transaction,
        job: Job,
        switch: Switch,
        *,
        currency: str,
        find_refusal: Callable[[Account], Refusal | None],
    ) -> Refusal | None:
        """Ask the job's rows in another way from now on. If there is no money for that, only return why."""
        found = tx.fetch("job", id=job.id)
        if not found or not _as_it_was(job_of(found[0]), job):
            return None
        asked, before = switch.asked, job.asked()
        moved = replace(job, route=replace(job.route, provider=asked.provider, model=asked.model))
        costs = _costs(tx, job.id, switch.most)
        whole = min(sum(costs.values()), MAX_AMOUNT)
        refusal = find_refusal(replace(account_of(tx, moved, currency), own=whole))
        if refusal is not None:
            return refusal
        for first, cost in costs.items():
            tx.update("parts", {"job": job.id, "first": first}, reserved=cost)
        if switch.late:
            tx.run("cut_batches", job=job.id, at=tx.now)
        if asked.provider != before.provider:
            tx.run("cut_what_is_here", job=job.id, at=tx.now)
        take_unwanted_back(tx)
        columns: dict[str, object] = {"terms": to_json(asked.terms.to_json()) if asked.terms else None}
        if switch.late:
            columns["late_at"] = tx.now
        if asked.provider != before.provider:
            tx.run("plan_again", job=job.id)
            columns |= {"route": to_json(moved.route.to_json()), "before_fallback": to_json(before.to_json())}
        tx.update("jobs", {"id": job.id}, **columns)
        tx.record(switch.event(whole))
        return None


def _as_it_was(now: Job, job: Job) -> bool:
    """Whether the job still runs as it did when the switch was decided."""
    same = (now.late_at, now.before_fallback) == (job.late_at, job.before_fallback)
    return same and now.state is JobState.RUNNING and not now.cancelled


def _costs(tx: Transaction, job: str, most: Callable[[Part, Batch | None], int]) -> dict[int, int]:
    """What each open part can cost at most, by its first row."""
    costs: dict[int, int] = {}
    batches: dict[str, Batch] = {}
    for part in [part_of(row) for row in tx.fetch("parts", job=job)]:
        if part.state is PartState.COLLECTED:
            continue
        if part.batch is not None and part.batch not in batches:
            [row] = tx.fetch("batch", key=part.batch)
            batches[part.batch] = batch_of(row)
        costs[part.first] = min(most(part, batches[part.batch] if part.batch is not None else None), MAX_AMOUNT)
    return costs
