"""Rows that ask the same are asked once a file, whatever parts they are in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ...domain.records import Job, Part, PartState
from ...values import replace
from ...work.planning.identical_rows import CompareTask, FollowTask, Outcomes, Planned, compare, follow_others
from ..context import Context


async def compare_parts(context: Context, job: Job, parts: Sequence[Part]) -> bool:
    """Compare parts before they are sent. Whether rows follow rows of other parts, so that parts are planned again."""
    planned = {part.first: part for part in parts if part.state is PartState.PLANNED}
    # Parts that were sent early have kept the files of their first attempt.
    sent = [replace(part, attempt=1) for part in parts if part.first < job.early_rows]
    each = job.route.identical_rows == "each" and job.route.reuse is None
    if each or len(parts) == 1 or not planned:
        return False
    spool = context.spool
    task = CompareTask(
        [
            Planned(
                part.first,
                part.rows,
                str(spool.keys(part)),
                str(spool.follows(part)),
                str(spool.prints(part)),
                str(spool.requests(part)),
            )
            for part in [*sent, *(part for part in planned.values() if part.first >= job.early_rows)]
        ],
        leaders=str(spool.leaders(job.id)),
        more=any(part.later for part in parts),
        provider=job.route.provider,
        endpoint=job.route.endpoint,
    )
    again = await context.local.run(compare, task)
    found = [planned[first] for first in again if first >= job.early_rows]
    if found:
        await context.store.jobs.planned_anew(found)
    return bool(found)


async def follow_other_parts(context: Context, job: Job, parts: Sequence[Part]) -> Sequence[Part]:
    """Give rows that follow rows of other parts their outcomes, at the end of the job. Return all parts of the job.

    After a kill in between, only the parts that are left are done.
    """
    is_open = [part for part in parts if part.state is PartState.COLLECTED and part.settled < part.rows]
    if not is_open:
        return parts
    await asyncio.gather(*(_follow(context, job, part, parts) for part in is_open))
    return await context.store.jobs.parts(job.id)


async def _follow(context: Context, job: Job, part: Part, parts: Sequence[Part]) -> None:
    spool, version = context.spool, part.results + 1
    if not await asyncio.to_thread(spool.follows(part).exists):
        return
    others = [Outcomes(other.first, other.rows, str(spool.results(other))) for other in parts if other.results]
    settled = context.settled_file(part)
    task = FollowTask(job.id, str(spool.follows(part)), settled, str(spool.results(part, version)), others)
    done = await context.executor.run(follow_others, task)
    followed = replace(
        part,
        results=version,
        ok=done.ok,
        failed=done.failed,
        reused=part.reused + done.reused,
        saved=part.saved + done.saved,
    )
    await context.store.jobs.followed(part, followed)
    if settled is not None:
        await asyncio.to_thread(Path(settled).unlink, missing_ok=True)
