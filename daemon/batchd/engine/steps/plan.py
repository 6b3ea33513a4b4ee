"""Write the request file of a part's attempt, in a worker, and commit what it can cost."""

from __future__ import annotations

from pathlib import Path

from ...domain.lifecycle import Plan
from ...domain.records import Job, JobState, Part, PartState
from ...domain.routing import cached_for
from ...errors import WorkerLost
from ...money.budget import MAX_AMOUNT
from ...money.calibration import correction
from ...store.answer_copies import readable_copy
from ...values import replace
from ...work.pictures import PictureFolder
from ...work.planning.ahead import KEPT
from ...work.planning.plan import PlanTask, plan
from ...work.planning.reuse import Reuse
from ...workers.limits import Hung
from ..context import Context
from .admit import family_route, is_sure, most_of_part, refusal_finder
from .worker_crashes import note_part_fault


async def plan_part(context: Context, action: Plan) -> None:
    """Write the request file of the part's attempt."""
    configured = context.configured
    found = await context.store.gathering.for_part(action.job, action.first)
    job, part = found.job, found.part
    provider = configured.providers.get(job.route.provider)
    spool, version = context.spool, part.results + 1
    task = PlanTask(
        job=job.id,
        first=part.first,
        offset=part.offset,
        length=part.length,
        columns=list(job.columns),
        rows=str(spool.rows(job.id)),
        requests=str(spool.requests(part)),
        settled=context.settled_file(part),
        failures=str(spool.results(part, version)),
        builder=configured.spec_here(job.route.prompt),
        common=job.route.common_body(),
        endpoint=job.route.endpoint,
        max_line_bytes=provider.limits.max_line_bytes if provider else None,
        model=job.route.model,
        correction=correction(*found.counted),
        reuse=await _reuse(context, job, part),
        given_up=context.given_up(part),
        row_timeout=context.time_limits.row,
        corrections=str(spool.corrections(part)),
        pictures=_pictures(context, job),
        skip_empty=job.route.empty_rows == "skip",
        follows=str(spool.follows(part)),
    )
    try:
        done = await (await context.executor_for(job)).run(plan, task)
    except (WorkerLost, Hung) as fault:
        await note_part_fault(context, job, part, fault)
        return
    planned = replace(
        part,
        state=PartState.PLANNED if done.requests else PartState.COLLECTED,
        requests=done.requests,
        size=done.size,
        input_tokens=done.input_tokens,
        output_tokens=done.output_tokens,
        counted_tokens=done.counted_tokens,
        longest=done.longest,
        unlimited=done.unlimited,
        ok=part.ok + done.reused,
        failed=part.failed + done.failed,
        empty=part.empty + done.empty,
        reused=part.reused + done.reused,
        saved=part.saved + done.saved,
        results=version if done.new_results else part.results,
    )
    await _commit(context, job, part, planned)


async def _commit(context: Context, job: Job, part: Part, planned: Part) -> None:
    """Commit a planned part. A later attempt costs money that was not in the admission, so it is judged as well."""
    # The configuration in force now, not when the planning began: that may have waited long for a worker.
    configured = context.configured
    if job.terms is not None:
        sure, lane = await is_sure(context, job.asked()), configured.lane(job)
        most = 0
        if planned.state is not PartState.COLLECTED:
            most = most_of_part(planned, job.terms, lane, sure=sure, cached_for=cached_for(job.route))
        most = min(most, MAX_AMOUNT)  # the database holds no more, and so much is refused
        planned = replace(planned, reserved=most)
    later = job.state is JobState.RUNNING and (part.attempt > 1 or job.before_fallback is not None)
    family = await family_route(context, job) if later else None
    judging = refusal_finder(configured, job, job.terms, family) if later else None
    await context.store.money.planned(job, part, planned, currency=configured.budget.currency, find_refusal=judging)


def _pictures(context: Context, job: Job) -> PictureFolder | None:
    folder = job.route.files
    # Pictures that came in an archive with the file are those of the whole chain.
    came_with = context.spool.pictures(job.first_step)
    if came_with.exists():
        copies = came_with
    elif folder is None:
        return None
    else:
        copies = context.spool.pictures(job.id)
    return PictureFolder(folder, job.route.max_file_bytes, str(copies))


def _ahead(known: Path, spool: Path) -> Path | None:
    return readable_copy(known, spool) if known.exists() else None


async def _reuse(context: Context, job: Job, part: Part) -> Reuse | None:
    route, spool, now = job.route, context.spool, context.clock.now()
    each = route.identical_rows == "each"
    known = spool.answers_ahead
    if job.family is not None and (await context.store.jobs.get(job.family)).duplicate_of is not None:
        known = spool.answers_of_steps  # the same file dropped again: what its step was asked before is not asked again
    ahead = await context.in_spool(lambda: _ahead(known, spool.root))
    if route.reuse is None and each and ahead is None:
        return None
    return Reuse(
        route.provider,
        str(spool.keys(part)),
        book=None if route.reuse is None else str(spool.answer_cache),
        since=now - (route.reuse or 0.0),
        all=route.asks_once(),
        each=each,
        ahead=str(ahead) if ahead is not None else None,
        ahead_is_copy=ahead is not None and ahead != known,
        ahead_since=now - KEPT,
        prints=None if part.rows == job.rows else str(spool.prints(part)),
    )
