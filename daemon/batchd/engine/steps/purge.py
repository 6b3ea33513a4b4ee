"""Deletes everything of a finished job that people do not have in their own folders.

First on this machine, then at the provider; then the database records it. After a kill in between it is done again.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...contracts import RemoteBatch
from ...delivery.archive import why_of
from ...domain.lifecycle import Erase
from ...domain.names import REVIEW, rejected_file
from ...domain.records import Batch, Job, JobState
from ...errors import BatchdError
from ...events import JobPurged
from ...model import Purged
from ...store.answer_cache import AnswerCache
from ...store.answer_copies import forget_copies
from ...store.spool import Spool
from ...work.planning.reuse import read_keys
from ..accounts import account_changed
from ..context import Context
from ..provider_calls import ProviderNotConfigured, limited, open_provider, remote_of, submission

FILES_MAY_TAKE = 120.0
"""Seconds beyond the provider's call_timeout: there are some files to a batch, a few calls to each."""


async def purge(context: Context, action: Erase) -> None:
    """Delete what is kept of the job, and record what could not be deleted."""
    job = await context.store.jobs.get(action.job)
    answers = 0
    for each in await context.store.chains.family(job):
        answers += await asyncio.to_thread(_forget_answers, context.spool, each)
        await asyncio.to_thread(context.spool.remove_job, each.id)
    files: list[str] = []
    kept: list[str] = []
    for batch in await context.store.batches.of_job(job.id):
        if not batch.state.final:
            kept.append(f"batch {batch.key} is {batch.state}.")
            continue
        # The lines of its answers that belong to no row were set aside there.
        await asyncio.to_thread(shutil.rmtree, context.spool.batch(batch.key), ignore_errors=True)
        purged = await _at_the_provider(context, batch)
        files += purged.deleted
        kept += purged.problems
    kept += [
        f"job {other.id} ({other.source}) has the same answers; purge it too."
        for other in await context.store.purging.same_answers(job.id)
    ]
    yours = [str(path) for path in await _own_files(context, job)]
    event = JobPurged(job=job.id, source=job.source, answers=answers, files=files, kept=kept, yours=yours)
    await context.store.purging.done(job, event)


def _forget_answers(spool: Spool, job: Job) -> int:
    forgotten = 0
    for path in (spool.answer_cache, spool.answers_ahead, spool.answers_of_steps):
        if path.exists():
            with AnswerCache.opened(path) as cache:
                forgotten += cache.forget_job(job.id, _keys(spool.job(job.id)))
    forget_copies(spool.root)
    return forgotten


def _keys(folder: Path) -> Iterator[bytes]:
    for file in (folder / "parts").glob("*.keys.*"):
        yield from read_keys(str(file)).leaders.values()


async def _at_the_provider(context: Context, batch: Batch) -> Purged:
    """Delete what the provider keeps of the batch. If the provider does not answer, return that as a problem."""
    if batch.remote is None and batch.upload is None:
        return Purged()
    what = f"files of batch {batch.key} at {batch.provider}"
    try:
        provider = await open_provider(context, batch.provider)
        changed = account_changed(context, batch, provider)
        # A batch that was never created has an input file at most.
        remotes = [RemoteBatch("", batch.key, {})] if batch.remote is None else [remote_of(batch)]
        remotes += [RemoteBatch(each, batch.key, {}) for each in batch.extra_remotes]
        done = []
        for remote in remotes:
            async with limited(provider, f"delete the files of batch {batch.key}", more=FILES_MAY_TAKE):
                done.append(await provider.plugin_for(batch.lane).purge(remote, submission(context, batch, provider)))
    except ProviderNotConfigured:
        return Purged(problems=(f"{what}: the configuration has no [providers.{batch.provider}] any more.",))
    except BatchdError as error:
        return Purged(problems=(f"{what}: {error}",))
    except Exception as error:  # noqa: BLE001  # a stranger's code: what it left behind is named, the rest goes on
        return Purged(problems=(f"{what}: the plugin failed ({type(error).__name__}: {error}).",))
    absent = [each for one in done for each in one.absent]
    problems = [f"{what}: {problem}" for one in done for problem in one.problems]
    if changed and absent:
        problems.append(
            f"{what}: {', '.join(absent)} are not known there, but the {' and '.join(changed)} changed since. Put the "
            "old back and purge the job again."
        )
    return Purged([each for one in done for each in one.deleted], absent, problems)


async def _own_files(context: Context, job: Job) -> list[Path]:
    """The files of the job in the folders of people."""
    folders = context.folders
    delivered = await context.store.deliveries.of_job(job.id)
    paths = [folders.outbox / name for each in delivered.values() for name in each.files]
    paths += [folders.outbox / name for name in await context.store.trials.pilot_files(job)]
    if job.outbox_stem is not None and job.state is not JobState.REJECTED:
        paths += [folders.outbox / f"{job.outbox_stem}{suffix}" for suffix in (REVIEW, ".report.html", ".report.json")]
    if job.archive_name is not None and job.state is JobState.REJECTED:
        original = folders.rejected / job.archive_name
        paths += [original, why_of(original), folders.archive / rejected_file(job.archive_name, job.id)]
    elif job.archive_name is not None:
        paths.append(folders.archive / job.archive_name)
    return await asyncio.to_thread(lambda: [path for path in paths if path.exists()])
