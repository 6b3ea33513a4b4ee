"""Deletes what is too old: working folders of finished jobs, answers that no route may reuse, files of people."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from ..engine.conditions import Conditions
from ..engine.context import Context
from ..store.answer_cache import AnswerCache
from ..store.errors import StoreUnavailable
from ..work.planning.ahead import KEPT
from .backups.backup import clear_leftovers
from .retaining import remove_old_files
from .stopping import Stopping

SWEEP_EVERY = 3_600.0
DRAFTS_STAY = 3_600.0
"""Seconds after which no worker still writes a draft."""


async def keep_sweeping(context: Context, conditions: Conditions, stopping: Stopping) -> None:
    """Sweep now and every hour, until the end."""
    while not stopping.is_set():
        with contextlib.suppress(StoreUnavailable, OSError):
            await sweep_jobs(context)
        for sweep in (sweep_answers, sweep_tries, sweep_drafts):
            with contextlib.suppress(StoreUnavailable, OSError):
                await asyncio.to_thread(sweep, context)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(clear_leftovers, context.spool.root)
        with contextlib.suppress(StoreUnavailable):
            await remove_old_files(context, conditions, stopping)
        await stopping.sleep(SWEEP_EVERY)


def sweep_tries(context: Context) -> None:
    """Delete the rows of tries that were never begun: their command was killed before it gave the order."""
    before = context.clock.now() - KEPT
    for file in context.spool.asked_ahead("").parent.glob("*.jsonl"):
        if file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
    for folder in context.spool.asked_ahead("").parent.glob("*.pictures"):
        if folder.stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_drafts(context: Context) -> None:
    """Delete drafts that killed workers have left, here or on another machine."""
    before = context.clock.now() - DRAFTS_STAY
    for draft in context.spool.root.glob("jobs/*/parts/.*.draft"):
        with contextlib.suppress(FileNotFoundError):
            if draft.stat().st_mtime < before:
                draft.unlink()


async def sweep_jobs(context: Context) -> None:
    """Delete the working folders of jobs that finished long enough ago."""
    jobs = await context.store.jobs.expired(context.clock.now() - context.keep)
    for job in jobs:
        await asyncio.to_thread(context.spool.remove_job, job)
    if jobs:
        await context.store.jobs.swept(jobs)


def sweep_answers(context: Context) -> None:
    """Forget answers that are too old for any route to reuse, and the oldest ones beyond the size limit."""
    configured = context.configured
    longest = max((route.reuse or 0.0 for route in configured.routes), default=0.0)
    spool = context.spool
    for path, kept in ((spool.answer_cache, longest), (spool.answers_ahead, KEPT), (spool.answers_of_steps, KEPT)):
        if path.exists():
            with AnswerCache.opened(path) as book:
                book.sweep(before=context.clock.now() - kept, most_bytes=configured.reuse_bytes)
