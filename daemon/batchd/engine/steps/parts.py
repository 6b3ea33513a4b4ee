"""Local work on a job: reading it, planning its parts, joining answers. The work itself is done by workers."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

from ...domain.lifecycle import Collect, Distribute, Plan, Read, Skip, Split
from ...domain.records import Job, Part, PartState
from ...domain.routing import NO_ROUTE, PluginSpec, no_route_reason
from ...errors import FileRefused, PluginError
from ...model import Usage
from ...store.money import Collected
from ...work.collect import CollectTask, DistributeTask, Share, collect, distribute
from ...work.local import WorkerLost
from ...work.plan import PlanTask, plan
from ...work.read import ReadTask, read
from ...work.reuse import Reuse
from ...work.split import SplitTask, split
from ..context import Context
from . import admission
from .deliver import reject
from .duplicates import duplicate_reason
from .render import note_rendered, render_tasks

MAX_WORKER_CRASHES = 3
"""A file or part that kills its worker this often is what kills it; the job stands still instead of the daemon."""


class StillChanging(OSError):
    """The file changed while it was read: whoever writes it has not finished."""


async def read_source(context: Context, action: Read) -> None:
    """Turn the source into rows.jsonl and parts."""
    job = await context.store.jobs.get(action.job)
    if job.route.name == NO_ROUTE.name:
        await reject(context, job, "no_route", no_route_reason(job.source, context.routes))
        return
    spool = context.spool
    task = ReadTask(
        source=str(spool.source(job.id)),
        name=job.source,
        target=str(spool.rows(job.id)),
        part_rows=job.route.part_rows,
        reader=context.here(job.route.reader or PluginSpec("")),
        builder=_builder(context, job),
        # Where answers are reused, rows that ask the same are asked once a part: then few parts are better.
        among=1 if job.route.reuse else context.executor.number,
    )
    try:
        done = await context.executor.run(read, task)
    except FileRefused as refusal:
        suffix = os.path.splitext(job.source)[1].lower()
        if refusal.code == "suffix" and suffix in context.suffixes:
            raise PluginError(
                f"A worker process does not find the reader for {suffix} files, though batchd itself has one. "
                f"{job.source} waits; if this stays so, start batchd again."
            ) from None
        await reject(context, job, refusal.code, str(refusal))
        return
    except WorkerLost:
        await _died(context, job, None)
        return
    if done.stamp != job.stamp:
        # Taking the name does not stop a writer who has the file open.
        await context.store.jobs.restamp(job, done.stamp)
        raise StillChanging(f"{job.source} changed while it was being read; it is read again when it is quiet.")
    parts = [Part(job=job.id, first=f, rows=n, offset=o, length=b) for f, n, o, b in done.parts]
    earlier = await context.store.jobs.accepted(
        job,
        rows=done.rows,
        columns=done.columns,
        answer_columns=done.answer_columns,
        sha256=done.sha256,
        description=done.description,
        parts=parts,
        duplicates=context.duplicates,
    )
    if earlier is not None:
        await reject(context, job, "duplicate", await duplicate_reason(context, earlier))


async def plan_part(context: Context, action: Plan) -> None:
    """Write the request file of the part's attempt."""
    job = await context.store.jobs.get(action.job)
    part = await context.store.jobs.part(action.job, action.first)
    provider = context.providers.get(job.route.provider)
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
        builder=_builder(context, job),
        common=job.route.common_body(),
        endpoint=job.route.endpoint,
        max_line_bytes=provider.limits.max_line_bytes if provider else None,
        model=job.route.model,
        correction=(await admission.correction_of(context, job)).factor,
        reuse=_reuse(context, job, part),
    )
    try:
        done = await context.executor.run(plan, task)
    except WorkerLost:
        await _died(context, job, part.first)
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
        reused=part.reused + done.reused,
        saved=part.saved + done.saved,
        results=version if done.new_results else part.results,
    )
    await admission.planned(context, job, part, planned)


async def cut(context: Context, action: Split) -> None:
    """Cut a part that no batch can take whole."""
    job = await context.store.jobs.get(action.job)
    part = await context.store.jobs.part(action.job, action.first)
    try:
        pieces = await pieces_of(context, job, part, action.pieces)
    except WorkerLost:
        await _died(context, job, part.first)
        return
    await context.store.jobs.split(part, pieces, action.reason)


async def pieces_of(context: Context, job: Job, part: Part, pieces: int) -> list[Part]:
    """The part cut into about so many parts, to be planned anew at the same attempt. Nothing is committed yet."""
    spool, version = context.spool, part.results + 1
    task = SplitTask(
        first=part.first,
        offset=part.offset,
        length=part.length,
        rows=str(spool.rows(job.id)),
        piece_rows=max(1, -(-part.rows // pieces)),
        settled=context.settled_file(part),
        results=spool.results_pattern(part, version),
    )
    done = await context.executor.run(split, task)
    return [
        Part(
            job=job.id,
            first=piece.first,
            rows=piece.rows,
            offset=piece.offset,
            length=piece.length,
            attempt=part.attempt,
            results=version if part.results else 0,
            ok=piece.ok,
            failed=piece.failed,
            # What it has reserved is shared by size, until each is planned and it is known.
            reserved=-(-part.reserved * piece.length // max(part.length, 1)),
            # What was spent so far stays with the first piece: sums over the job must not change by a cut.
            usage=part.usage if piece.first == part.first else Usage(),
            wasted=part.wasted if piece.first == part.first else Usage(),
            reused=part.reused if piece.first == part.first else 0,
            saved=part.saved if piece.first == part.first else Usage(),
        )
        for piece in done
    ]


async def distribute_batch(context: Context, action: Distribute) -> None:
    """Give each part of a batch its share of the answers, then let go of the batch."""
    batch = await context.store.batches.get(action.batch)
    parts = await context.store.batches.parts(batch.key)
    shares = [Share(part.job, part.first, part.rows, str(context.spool.answers(part))) for part in parts]
    spool = context.spool
    task = DistributeTask(str(spool.batch_answers(batch.key)), shares, str(spool.batch_strays(batch.key)))
    done = await context.executor.run(distribute, task)
    await context.store.batches.distributed(batch, answers=done.answers, strays=done.strays)
    await asyncio.to_thread(spool.remove_batch, batch.key)


async def collect_part(context: Context, action: Collect) -> None:
    """Join a part's answers with its rows; leftovers are the next attempt of the same part."""
    job = await context.store.jobs.get(action.job)
    part = await context.store.jobs.part(action.job, action.first)
    spool, version = context.spool, part.results + 1
    task = CollectTask(
        first=part.first,
        rows=part.rows,
        answers=str(spool.answers(part)),
        settled=context.settled_file(part),
        results=str(spool.results(part, version)),
        builder=_builder(context, job),
        attempt=part.attempt,
        attempts=job.route.attempts * job.retry_round,
        renders=render_tasks(context, job, part, version),
        terms=job.terms,
        job=job.id,
        keys=str(spool.keys(part)) if job.route.reuse is not None else None,
        book=str(spool.answer_cache) if job.route.reuse is not None else None,
        at=context.clock.now(),
    )
    try:
        done = await context.executor.run(collect, task)
    except WorkerLost:
        await _died(context, job, part.first)
        return
    again = done.leftovers > 0 and not job.cancelled
    collected = replace(
        part,
        state=PartState.UNPLANNED if again else PartState.COLLECTED,
        attempt=part.attempt + 1 if again else part.attempt,
        batch=None,
        results=version,
        ok=done.ok,
        failed=done.failed,
        usage=part.usage + done.bill.usage,
        wasted=part.wasted + done.bill.wasted,
        reused=part.reused + done.reused,
        saved=part.saved + done.saved,
        worker_crashes=0,
    )
    note_rendered(context, job, part, version, done.rendered)
    await context.store.money.collected(job, part, Collected(collected, part.batch, done.bill, done.reasons))
    await asyncio.to_thread(_remove_attempt, context, part)


async def skip(context: Context, action: Skip) -> None:
    """End what is open of a cancelled job."""
    await context.store.jobs.skip(action.job)


def _remove_attempt(context: Context, part: Part) -> None:
    spool = context.spool
    files = [spool.requests(part), spool.answers(part), spool.keys(part)]
    files += [spool.results(part)] if part.results else []
    for file in files:
        file.unlink(missing_ok=True)


async def _died(context: Context, job: Job, first: int | None) -> None:
    times = await context.store.jobs.worker_died(job.id, first)
    if times < MAX_WORKER_CRASHES:
        return
    if first is None:
        reason = (
            f"Reading it ended the worker process {times} times, most likely for want of memory. "
            "The original is untouched. Drop it again in smaller files."
        )
        await reject(context, job, "worker_died", reason)
        return
    await context.store.jobs.failed(
        job,
        "worker_died",
        f"working on the part from row {first} ended the worker process {times} times, most likely for want of memory. "
        f"Give batchd more memory or make the route's part_rows smaller, then `batchd retry {job.id}`; "
        f"or `batchd cancel {job.id}` to have what there is.",
    )


def _reuse(context: Context, job: Job, part: Part) -> Reuse | None:
    if job.route.reuse is None:
        return None
    spool, since = context.spool, context.clock.now() - job.route.reuse
    return Reuse(str(spool.answer_cache), job.route.provider, since, str(spool.keys(part)))


def _builder(context: Context, job: Job) -> PluginSpec:
    return context.here(job.route.prompt)
