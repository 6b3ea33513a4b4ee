"""Turn a source into rows.jsonl and parts, in a worker."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from ...domain.chains import later_steps
from ...domain.formats import suffix_of, without_packing
from ...domain.lifecycle import Read
from ...domain.questions import rejected_words
from ...domain.records import Job, Part, Trial
from ...domain.routing import NO_ROUTE, PluginSpec, Route, cached_for, no_route_reason
from ...errors import FileRefused, PluginError, WorkerLost
from ...intake.plain_files import stamp_of
from ...plugin.absent import PluginOff
from ...work.reading.read import ReadDone, ReadTask, read
from ...workers.limits import Hung
from ..context import Configured, Context
from .redeliver import duplicate_reason
from .reject import reject
from .worker_crashes import note_worker_crash, reject_hung


class StillChanging(OSError):
    """The file changed while it was read: its writer has not finished."""


async def _read_again(context: Context, job: Job, stamp: tuple[int, int, int, int]) -> NoReturn:
    """Raise StillChanging, to read the file again: claiming it does not stop a program that has it open."""
    await context.store.jobs.restamp(job, stamp)
    raise StillChanging(f"{job.source} changed while it was being read; it is read again when it is quiet.") from None


async def read_source(context: Context, action: Read) -> None:
    """Turn the source into rows.jsonl and parts."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    if job.route.name == NO_ROUTE.name:
        await reject(context, job, "no_route", no_route_reason(job.source, configured.routes))
        return
    if job.route.question is not None and "fault" in job.route.question:
        await reject(context, job, "question", rejected_words(job.route.question))
        return
    spool, now = context.spool, configured.route(job.route.name)
    task = ReadTask(
        source=str(spool.source(job.id)),
        name=job.source,
        target=str(spool.rows(job.id)),
        part_rows=job.route.part_rows,
        reader=configured.spec_here(job.route.reader or PluginSpec("")),
        builder=configured.spec_here(job.route.prompt),
        among=context.executor.number,
        read_timeout=context.time_limits.read,
        formats=job.route.formats,
        max_file_bytes=job.route.max_file_bytes,
        by_folder=job.route.question is not None,
        pilot=_ahead(configured, job, now),
        pilot_spread=now is not None and now.pilot_spread,
        batch_rows=None if job.route.recipe in context.proven else _batch_rows(configured, job.route),
        steps=[
            (step.name, configured.spec_here(step.prompt))
            for step in later_steps(job.route.then, {route.name: route for route in configured.routes})
        ],
    )
    try:
        done = await context.local.run(read, task)
    except FileRefused as refusal:
        stamp = await asyncio.to_thread(stamp_of, spool.source(job.id))
        if stamp != job.stamp:
            await _read_again(context, job, stamp)  # a half-written file is not refused
        suffix = suffix_of(without_packing(job.source))
        if refusal.code == "suffix" and suffix in configured.suffixes:
            raise PluginError(
                f"A worker process does not find the reader for {suffix} files, though batchd itself has one. "
                f"{job.source} waits; if this stays so, start batchd again."
            ) from None
        if refusal.code == "suffix" and configured.not_loaded:
            raise PluginOff(
                f"{job.source} waits: no plugin that is loaded reads {suffix or 'it'}, and of these, which are kept "
                f"off, one may: {', '.join(configured.not_loaded)}."
            ) from None
        await reject(context, job, refusal.code, str(refusal))
        return
    except WorkerLost as lost:
        await note_worker_crash(context, job, None, lost)
        return
    except Hung as hung:
        await reject_hung(context, job, hung)
        return
    if done.stamp != job.stamp:
        await _read_again(context, job, done.stamp)
    parts = [
        Part(job=job.id, first=f, rows=n, offset=o, length=b, later=bool(done.ahead) and f not in done.ahead)
        for f, n, o, b in done.parts
    ]
    earlier = await context.store.jobs.accepted(
        job,
        rows=done.rows,
        columns=done.columns,
        answer_columns=done.answer_columns,
        sha256=done.sha256,
        description=done.description,
        dialect=done.dialect,
        parts=parts,
        trial=Trial.PILOT if done.ahead else None,
        duplicates=context.duplicates,
        early_from=None if done.ahead else _early_from(configured, job.route, done),
    )
    if earlier is not None:
        await reject(context, job, "duplicate", await duplicate_reason(context, earlier))


def _batch_rows(configured: Configured, route: Route) -> int | None:
    provider = configured.providers.get(route.provider)
    return None if provider is None else provider.limits.max_requests


def _early_from(configured: Configured, route: Route, done: ReadDone) -> int | None:
    """How many rows of a large file are planned before they are sent; None for all of them.

    These rows fill a batch, or are the short part that goes ahead. With a limit of money all rows are planned first: it
    is for the file as a whole, so what the file can cost has to be known.
    """
    batch = _batch_rows(configured, route)
    limited = configured.budget.limits(route.provider, route.name)
    if batch is None or limited or route.question is not None or route.reuse is not None or done.rows <= batch:
        return None
    return min(batch, done.parts[0][1])


def _ahead(configured: Configured, job: Job, now: Route | None) -> int:
    """How many rows are asked before the others: those of a pilot, or one that fills the provider's cache."""
    provider = configured.providers.get(job.route.provider)
    warm = provider is not None and provider.plugin.warms_caches and cached_for(job.route) > 0
    return (now.pilot if now is not None else 0) or int(warm)
