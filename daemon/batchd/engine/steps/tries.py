"""Begin a try by a person's order, and end it once its rows are answered, or cannot be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...domain.lifecycle import EndTry
from ...domain.records import Job, JobState, Part, Trial
from ...domain.routing import Route
from ...events import TryBegun, TryEnded, count
from ...files import fsync_folder
from ...money.lanes import Lane
from ...orders.values import NotCarriedOut
from ...store.spool import Spool
from ..context import Context


async def begin(context: Context, job: str, asked: Mapping[str, Any]) -> str:
    """Create the job of a try. Done again after a crash, this creates no second one."""
    route = Route.from_json(asked["route"])
    what = f"{count(asked['rows'], 'row')} of {asked['source']} with {route.provider}/{route.model}"
    if await context.store.jobs.find(job) is not None:
        return f"Job {job} asks {what}."
    provider = context.configured.providers.get(route.provider)
    if provider is None:
        raise NotCarriedOut(
            f"The running daemon has no [providers.{route.provider}]: it was started with another configuration. "
            "Reload it, then try again."
        )
    size = await asyncio.to_thread(_take_rows, context.spool, job)
    if size is None:
        raise NotCarriedOut(f"The rows of {asked['source']} are not there any more. Try again.")
    now = context.clock.now()
    # A person waits for the answers, and a batch may take a day.
    live = bool(asked["live"]) and provider.live is not None and provider.lane is not Lane.LIVE
    await context.store.trials.try_begun(
        Job(
            id=job,
            state=JobState.PLANNING,
            source=f"{asked['source']} (try)",
            inbox_path=b"",
            stamp=(0, 0, 0, 0),
            route=route,
            size=size,
            claimed_at=now,
            accepted_at=now,
            rows=asked["rows"],
            columns=asked["columns"],
            answer_columns=asked["answer_columns"],
            late_at=now if live else None,
            trial=Trial.TRY,
        ),
        Part(job=job, first=0, rows=asked["rows"], offset=0, length=size),
        TryBegun(job=job, source=asked["source"], rows=asked["rows"], provider=route.provider, model=route.model),
    )
    return f"Job {job} asks {what}."


async def end(context: Context, action: EndTry) -> None:
    """End the try: record what was answered, or why it cannot be."""
    job = await context.store.jobs.get(action.job)
    if job.state.final:
        return
    totals = await context.store.jobs.totals(job.id)
    refused = job.state in {JobState.HELD, JobState.FAILED}
    event = TryEnded(
        job=job.id,
        source=job.source.removesuffix(" (try)"),
        ok=totals.ok,
        failed=totals.failed,
        reason=job.reason if refused else None,
    )
    state = JobState.CANCELLED if refused or job.cancelled else JobState.DONE
    await context.store.trials.try_ended(job, state, event)


def _take_rows(spool: Spool, job: str) -> int | None:
    """Move the rows to the job's working files. Return their size, None if there are none."""
    source: Path = spool.asked_ahead(job)
    target = spool.rows(job)
    spool.make_job(job)
    pictures = spool.pictures_ahead(job)
    if pictures.exists():
        os.replace(pictures, spool.pictures(job))
    if source.exists():
        os.replace(source, target)
        fsync_folder(target.parent)
        fsync_folder(source.parent)
    return target.stat().st_size if target.exists() else None
