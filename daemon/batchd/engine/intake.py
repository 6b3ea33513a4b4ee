"""From the inbox to claims: look, let settle, commit that we mean to take it, take it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ..adapters.claiming import Changed, Claimed, Gone, claim
from ..adapters.inbox import Entry, Listing, scan
from ..adapters.lease import held_open_for_writing
from ..core.lifecycle import Claim
from ..core.names import display
from ..core.records import Job, JobState
from ..core.routing import NO_ROUTE, route_for
from ..core.settling import Settling
from .context import Context

logger = logging.getLogger(__name__)

CLAIMS_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the inbox found: how many files settle, and when the next could have."""

    settling: int
    claimed: int
    again_in: float | None


class Intake:
    """Looks at the inbox again and again; what it finds settled becomes a job in state `claiming`."""

    def __init__(self, context: Context, settle: float) -> None:
        self._context = context
        self._settling = Settling(settle=settle)
        self._odd: dict[str, str] = {}

    async def look(self) -> Seen:
        """One look. OSError if the inbox itself cannot be looked at."""
        context = self._context
        listing = await asyncio.to_thread(scan, context.folders.inbox)
        await self._explain(listing)
        files = {entry.path: entry for entry in listing.files}
        steady = context.clock.steady()
        settled = self._settling.look({path: entry.stamp for path, entry in files.items()}, steady)
        ready = await asyncio.to_thread(self._not_busy, settled, steady)
        for start in range(0, len(ready), CLAIMS_AT_A_TIME):
            jobs = [self._job(files[path]) for path in ready[start : start + CLAIMS_AT_A_TIME]]
            await context.store.jobs.begin_claims(jobs)
        return Seen(len(files) - len(ready), len(ready), self._settling.due_in(steady))

    def _not_busy(self, settled: Sequence[str], steady: float) -> list[str]:
        """Those that nobody has open for writing. The lease may only delay, never decide."""
        ready = []
        for path in settled:
            if held_open_for_writing(self._context.folders.inbox / path) and self._settling.busy(path, steady):
                continue
            ready.append(path)
        return ready

    def _job(self, entry: Entry) -> Job:
        context = self._context
        path = display(entry.path)
        return Job(
            id=context.clock.new_id(),
            state=JobState.CLAIMING,
            source=path,
            inbox_path=entry.path.encode("utf-8", "surrogateescape"),
            stamp=entry.stamp,
            route=route_for(path, context.routes) or NO_ROUTE,
            size=entry.stamp.size,
            claimed_at=context.clock.now(),
        )

    async def _explain(self, listing: Listing) -> None:
        """What lies in the inbox and is never taken is said once, and shows in `status` until it is gone."""
        odd = {f"inbox/{display(path)}": sentence for path, sentence in listing.oddities}
        for subject, sentence in odd.items():
            if self._odd.get(subject) != sentence:
                await self._context.store.story.raise_condition(subject, sentence)
        for subject in self._odd.keys() - odd.keys():
            await self._context.store.story.clear_condition(subject)
        self._odd = odd


async def take(context: Context, action: Claim) -> None:
    """Take the file into the spool, or forget the job if it is not there any more as it was."""
    job = await context.store.jobs.find(action.job)
    if job is None or job.state is not JobState.CLAIMING:
        return
    relative = job.inbox_path.decode("utf-8", "surrogateescape")
    source = context.spool.source(job.id)

    def take_it() -> Claimed | Gone | Changed:
        context.spool.make_job(job.id)
        return claim(context.folders.inbox, relative, job.stamp, source, job.id)

    outcome = await asyncio.to_thread(take_it)
    if isinstance(outcome, Gone | Changed):
        # Someone took it back, or writes to it again: the next look sees what is there then.
        await context.store.jobs.forget(job.id)
        await asyncio.to_thread(context.spool.remove_job, job.id)
        return
    await context.store.jobs.claimed(job, outcome.stamp)
