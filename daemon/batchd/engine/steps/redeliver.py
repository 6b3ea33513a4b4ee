"""The same bytes were dropped again for the same route: the answers are there already, and paid."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ...domain.lifecycle import Redeliver
from ...domain.records import Job, JobState, Part, PartState
from ...files import fsync_folder, name_again
from ...model import Usage
from ...store.spool import Spool
from ...values import replace
from ...work.collecting.fail_rows import ClearFailuresTask, clear_failures
from ..context import Context
from ..retry_later import RetryLater

PAUSE = 2.0
"""Seconds between looks whether the earlier job has its answers."""


async def redeliver(context: Context, action: Redeliver) -> None:
    """Give this job the earlier job's answers once that has ended; rows that have none there are asked."""
    jobs = context.store.jobs
    job = await jobs.get(action.job)
    earlier = await jobs.find(job.duplicate_of or "")
    if earlier is None or earlier.swept_at is not None or earlier.state in {JobState.REJECTED, JobState.FAILED}:
        await jobs.set_duplicate(job, await jobs.better_duplicate(job))
        return
    if not earlier.state.final:
        raise RetryLater(PAUSE)
    theirs = await jobs.parts(earlier.id)
    if earlier.rows != job.rows or sum(part.length for part in theirs) != context.spool.rows(job.id).stat().st_size:
        # Another version of the reader has made other rows of the same bytes, so the answers do not fit.
        await jobs.set_duplicate(job, None)
        return
    if any(part.ok + part.empty < part.rows for part in theirs):
        better = await jobs.better_duplicate(job)
        if better is not None and better != earlier.id:
            await jobs.set_duplicate(job, better)
            return
    # A copy that was dropped while the earlier one was under way is not another try: it shares its failures too.
    afresh = earlier.finished_at is None or job.claimed_at > earlier.finished_at
    if not any(part.ok or part.empty or part.step_results or (part.failed and not afresh) for part in theirs):
        await jobs.set_duplicate(job, None)
        return
    await asyncio.to_thread(_keep_answers, context.spool, earlier.id, job.id)
    await jobs.redelivered(job, [await _taken_over(context, job, part, afresh=afresh) for part in theirs])


async def _taken_over(context: Context, job: Job, their: Part, *, afresh: bool) -> Part:
    """This job's part with the outcomes of the earlier job's; in a chain, with the answers of the first step alone."""
    if their.step_results:
        their = await _first_step(context, job, their)
        afresh = True
    theirs, ours = context.spool.results(their), context.spool.results(replace(their, job=job.id))
    failed = 0 if afresh else their.failed
    whole = their.ok + their.empty + failed == their.rows
    results = their.results if their.ok + their.empty + failed else 0
    if results and failed == their.failed:
        await asyncio.to_thread(_link, theirs, ours)
    elif results:
        await context.local.run(clear_failures, ClearFailuresTask(str(theirs), str(ours)))
    return Part(
        job=job.id,
        first=their.first,
        rows=their.rows,
        offset=their.offset,
        length=their.length,
        state=PartState.COLLECTED if whole else PartState.UNPLANNED,
        results=results,
        ok=their.ok,
        failed=failed,
        empty=their.empty,
        reused=their.ok,
        saved=_billed(their),
    )


async def _first_step(context: Context, job: Job, their: Part) -> Part:
    """The earlier job's part before later steps were joined to it: these are asked again, or their answers reused."""
    whole = replace(their, results=their.step_results)
    ours = context.spool.results(replace(whole, job=job.id))
    ok, empty = await context.local.run(clear_failures, ClearFailuresTask(str(context.spool.results(whole)), str(ours)))
    return replace(whole, ok=ok, empty=empty, failed=whole.rows - ok - empty, step_results=0)


def _billed(part: Part) -> Usage:
    """The tokens that were billed for the part's answers, or would have been without earlier ones."""
    usage, wasted, saved = part.usage, part.wasted, part.saved
    return Usage(
        max(0, usage.input_tokens - wasted.input_tokens) + saved.input_tokens,
        max(0, usage.cached_tokens - wasted.cached_tokens) + saved.cached_tokens,
        max(0, usage.output_tokens - wasted.output_tokens) + saved.output_tokens,
        max(0, usage.cache_writes - wasted.cache_writes) + saved.cache_writes,
        max(0, usage.long_writes - wasted.long_writes) + saved.long_writes,
    )


def _link(theirs: Path, ours: Path) -> None:
    name_again(theirs, ours)
    fsync_folder(ours.parent)


def _keep_answers(spool: Spool, theirs: str, ours: str) -> None:
    """Keep for this job the answers that the earlier job's results refer to."""
    spool.make_job(ours)
    for kept in spool.all_kept_answers(theirs):
        name_again(kept, spool.kept_answers(ours, kept.stem.partition(".")[2]))


async def duplicate_reason(context: Context, earlier: str) -> str:
    """Why a duplicate is rejected, and where its answers are."""
    job = await context.store.jobs.get(earlier)
    where = (
        f"; its results are in the outbox as {job.outbox_stem}.results.*" if job.state.final and job.outbox_stem else ""
    )
    return (
        f"The very same file was taken before as {job.source} (job {job.id}){where}. Asking it again would cost the "
        'same again. If that is what you want, ask the operator to set duplicates = "process" under [intake].'
    )
