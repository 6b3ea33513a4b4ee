"""The way of a batch to its provider and back.

Between any two lines of it the process may die. What keeps money safe is the order of commits: see
`store/batches.py`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from ...contracts import RemoteBatch, Submission
from ...domain.lifecycle import CancelBatch, Fetch, Find, Pack, Poll, Submit, Upload, outcome_wait
from ...domain.records import Batch, BatchState, Moment
from ...errors import (
    CannotFind,
    NotSent,
    ProviderError,
    RejectedError,
    RemoteMissing,
    SubmissionRefused,
    TransientError,
)
from ...files import replacing
from ...model import BatchPhase, BatchStatus, Problem
from ...sending.stalling import StallDecision, decide_stall, unmoved_since
from ..context import ConfiguredProvider, Context
from ..retry_later import RetryLater
from .batch_refusals import handle_refusal

LOOKS = 2
"""How often a batch of unknown outcome must be looked for in vain before it counts as not created."""
MAX_MISSING = 3_600.0
"""Seconds that a provider may say of a batch, or of its answers, that it is not there, before we believe it."""
NOTED_EVERY = 10.0
"""Seconds after which it is noted that a provider still says the same of a batch: and that notes can still be made."""
MISSING_SINCE = "batchd_missing_since"
ENDED = "batchd_ended"
VANISHED = "batch_missing"


class ProviderNotConfigured(Exception):
    """The config has no such provider (any more); what needs it waits."""


def provider_for(context: Context, name: str) -> ConfiguredProvider:
    """The configured provider."""
    try:
        return context.providers[name]
    except KeyError:
        raise ProviderNotConfigured(
            f"The configuration has no [providers.{name}] any more, and jobs under way need it. "
            "Put it back and reload, or cancel those jobs."
        ) from None


async def pack(context: Context, action: Pack) -> None:
    """Commit batches with their parts, before anything is sent."""
    packed = []
    for parts in action.batches:
        batch = Batch(
            key=context.clock.new_id(),
            provider=action.provider,
            model=action.model,
            endpoint=action.endpoint,
            state=BatchState.PACKED,
            requests=sum(part.requests for part in parts),
            size=sum(part.size for part in parts),
            input_tokens=sum(part.input_tokens for part in parts),
            created_at=context.clock.now(),
        )
        packed.append((batch, parts))
    await context.store.batches.packed(packed)


async def upload(context: Context, action: Upload) -> None:
    """Write the input file and send it ahead."""
    batch = await context.store.batches.get(action.batch)
    provider = provider_for(context, batch.provider)
    await _write_input(context, batch)
    attempt = await context.store.batches.uploading(batch)
    try:
        token = await provider.plugin.upload(_submission(context, batch, provider, attempt=attempt))
    except SubmissionRefused as refusal:
        await handle_refusal(context, batch, refusal.problems, str(refusal))
        return
    await context.store.batches.uploaded(batch, token)


async def submit(context: Context, action: Submit) -> None:
    """Commit the intent, create the batch, commit its id. The create call is made once and never repeated blindly."""
    batch = await context.store.batches.get(action.batch)
    provider = provider_for(context, batch.provider)
    if not await context.store.batches.submitting(batch, context.now()):
        return
    batch = await context.store.batches.get(batch.key)
    try:
        async with asyncio.timeout(provider.create_timeout):
            remote = await provider.plugin.submit(_submission(context, batch, provider))
    except (NotSent, RejectedError):
        await context.store.batches.not_submitted(batch)
        raise
    except SubmissionRefused as refusal:
        await handle_refusal(context, batch, refusal.problems, str(refusal))
        return
    except RemoteMissing:
        # It answered that it does not know the input file: retention, or a deletion by hand.
        await context.store.batches.upload_lost(batch)
        raise
    except Exception as error:  # noqa: BLE001  # whatever happened, the service may have created the batch
        wait = outcome_wait(batch, context.now(), create_timeout=provider.create_timeout)
        await context.store.batches.outcome_unknown(batch, _words(error, provider), wait)
        return
    await context.store.batches.submitted(batch, remote, context.clock.now())


async def find(context: Context, action: Find) -> None:
    """Look whether a batch of unknown outcome exists; only looking twice in vain allows to create it again."""
    batch = await context.store.batches.get(action.batch)
    provider = provider_for(context, batch.provider)
    try:
        found = list(await provider.plugin.find(_submission(context, batch, provider)))
    except CannotFind as error:
        await context.store.batches.held(
            batch,
            f"{error} Look at the provider whether a batch made from the file {batch.upload or 'batchd-' + batch.key} "
            f"exists. If it does: `batchd resolve {batch.key} --found ID`. "
            f"If not: `batchd resolve {batch.key} --absent`.",
        )
        return
    if found:
        for double in found[1:]:
            try:
                await provider.plugin.cancel(RemoteBatch(double, batch.key, {}))
            except (TransientError, RejectedError):
                raise
            except ProviderError:  # it runs to its end then, and its answers are used
                pass
        await context.store.batches.found(batch, found[0], found[1:], context.clock.now())
    elif batch.looks + 1 >= LOOKS:
        await context.store.batches.not_found(batch)
    else:
        await context.store.batches.looked(batch, batch.looks + 1)
        raise RetryLater(min(30.0, provider.create_timeout / 2))


async def poll(context: Context, action: Poll) -> None:
    """Ask how far the batch is."""
    batch = await context.store.batches.get(action.batch)
    provider = provider_for(context, batch.provider)
    try:
        status = await provider.plugin.poll(_remote(batch))
    except RemoteMissing:
        status = await _vanished(context, batch)
    was_new = batch.phase in {None, BatchPhase.VALIDATING}
    if was_new and status.phase in {BatchPhase.IN_PROGRESS, BatchPhase.FINALIZING, BatchPhase.COMPLETED}:
        context.quotas.accepted((batch.provider, batch.model))
    if not status.phase.ended:
        left = await _still_there(context, batch, status, provider)
        if left is None:
            return
        status = left
    noted = replace(status, details={**status.details, ENDED: asdict(context.now())})
    await context.store.batches.ended(batch, noted, context.clock.now())


async def _still_there(
    context: Context, batch: Batch, status: BatchStatus, provider: ConfiguredProvider
) -> BatchStatus | None:
    """Note how far it is, and have it stopped once it has stood still for too long. How it counts as ended, if it does.

    Judged right after its provider has answered: whoever does not answer may be at work all the same.
    """
    now = context.now()
    progress = unmoved_since(batch, status, now, poll=provider.poll)
    said = decide_stall(batch, status.phase, progress=progress, now=now, window=provider.plugin.completion_window)
    match said:
        case StallDecision.STOP:
            await context.store.batches.stalled(batch, status, now, quiet=progress.elapsed(now))
        case StallDecision.WAIT if _said_lately(batch, status, now):
            pass
        case StallDecision.WAIT:
            await context.store.batches.polled(batch, status, now, progress=progress)
        case StallDecision.LEAVE:
            deaf = Problem("batch_abandoned", "the provider was asked to stop it and did not in six hours")
            return replace(status, phase=BatchPhase.EXPIRED, problems=(*status.problems, deaf))
    return None


def _said_lately(batch: Batch, status: BatchStatus, now: Moment) -> bool:
    """Whether the same was noted a moment ago: most polls bring nothing new, and need not be synced to the disk."""
    if batch.phase is None or batch.heard is None or batch.heard.elapsed(now) >= NOTED_EVERY:
        return False
    problems = tuple(Problem(**record) for record in batch.problems)
    details = dict(batch.details)
    noted = BatchStatus(batch.phase, batch.total, batch.completed, batch.failed, problems, batch.usage, details)
    return status == noted


async def _vanished(context: Context, batch: Batch) -> BatchStatus:
    """The provider does not know the batch: a passing fault, or, once it has said so for an hour, the end of it.

    Its rows are asked again then, like those of a batch that expired, less those whose answers can still be had.
    """
    now = context.now()
    noted_since = batch.details.get(MISSING_SINCE)
    # By a clock that does not jump: rows that are given up too soon are paid twice.
    since = Moment(**noted_since) if isinstance(noted_since, dict) else None
    if since is None:
        await context.store.batches.missing(batch, {**batch.details, MISSING_SINCE: asdict(now)})
    if since is None or since.age(now) < MAX_MISSING:
        raise RemoteMissing(f"The provider does not know batch {batch.remote} at the moment; it is asked about again.")
    gone = Problem(VANISHED, "the provider has not known this batch for an hour")
    return BatchStatus(BatchPhase.EXPIRED, batch.total, batch.completed, problems=(gone,), details=batch.details)


async def cancel_batch(context: Context, action: CancelBatch) -> None:
    """Ask the provider to stop working on a batch that only cancelled jobs are in, or that stands still."""
    batch = await context.store.batches.get(action.batch)
    provider = provider_for(context, batch.provider)
    await provider.plugin.cancel(_remote(batch))
    await context.store.batches.cancel_asked(batch, context.now())


async def fetch(context: Context, action: Fetch) -> None:
    """Download every answer there is, of the batch and of its doubles; or judge why it never ran."""
    batch = await context.store.batches.get(action.batch)
    provider = provider_for(context, batch.provider)
    await asyncio.to_thread(context.spool.make_batch, batch.key)
    async with _replacing(context.spool.batch_answers(batch.key)) as file:
        await _download(context, provider, batch, _remote(batch), file)
        for double in batch.extra_remotes:
            await _download_double(context, provider, batch, double, file)
        empty = file.tell() == 0
    if batch.phase is BatchPhase.FAILED and empty:
        # Counts are not to be trusted: a service that calls a batch failed may have answered rows all the same.
        problems = [Problem(**record) for record in batch.problems]
        await handle_refusal(context, batch, problems, "The provider failed the batch and gave no reason.")
    else:
        await context.store.batches.fetched(batch)
    await _forget(context, batch, provider)


async def _download_double(
    context: Context, provider: ConfiguredProvider, batch: Batch, double: str, file: IO[bytes]
) -> None:
    """The answers of a double, once it has stopped; after an hour, those that there are."""
    late = _too_late(context, batch)
    try:
        status = await provider.plugin.poll(RemoteBatch(double, batch.key, {}))
    except RemoteMissing:
        if late:
            return
        raise
    if not status.phase.ended and not late:
        raise RetryLater(provider.poll)
    await _download(context, provider, batch, RemoteBatch(double, batch.key, status.details), file)


async def _download(
    context: Context, provider: ConfiguredProvider, batch: Batch, remote: RemoteBatch, file: IO[bytes]
) -> None:
    try:
        await provider.plugin.download(remote, file)
    except RemoteMissing:
        # Right after completion answers are not there for minutes; much later they will not come any more. What
        # was written counts, and what is not there is asked again like any other silence.
        if not _too_late(context, batch):
            raise


def _too_late(context: Context, batch: Batch) -> bool:
    """Whether answers that are not there by now will not come any more, by a clock that does not jump."""
    if any(problem["code"] == VANISHED for problem in batch.problems):
        return True  # that was believed only after an hour
    noted = batch.details.get(ENDED)
    return isinstance(noted, dict) and Moment(**noted).age(context.now()) >= MAX_MISSING


async def _forget(context: Context, batch: Batch, provider: ConfiguredProvider) -> None:
    try:
        async with asyncio.timeout(30):
            await provider.plugin.forget(_submission(context, batch, provider))
    except Exception:  # noqa: BLE001, S110  # an input file left behind expires by itself; nothing waits for it
        pass


async def _write_input(context: Context, batch: Batch) -> None:
    parts = await context.store.batches.parts(batch.key)
    requests = [context.spool.requests(part) for part in parts]

    def write() -> None:
        context.spool.make_batch(batch.key)
        with replacing(context.spool.batch_input(batch.key)) as target:
            for path in requests:
                with path.open("rb") as lines:
                    shutil.copyfileobj(lines, target)

    await asyncio.to_thread(write)


@asynccontextmanager
async def _replacing(target: Path) -> AsyncIterator[IO[bytes]]:
    """`replacing`, with its fsyncs off the event loop: a hundred megabytes take longer than the loop may stand."""
    draft = replacing(target)
    file = await asyncio.to_thread(draft.__enter__)
    try:
        yield file
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(draft.__exit__, type(error), error, error.__traceback__))
        raise
    await asyncio.shield(asyncio.to_thread(draft.__exit__, None, None, None))


def _submission(
    context: Context, batch: Batch, provider: ConfiguredProvider, *, attempt: int | None = None
) -> Submission:
    return Submission(
        key=batch.key,
        file=context.spool.batch_input(batch.key),
        requests=batch.requests,
        size=batch.size,
        model=batch.model,
        endpoint=batch.endpoint,
        attempt=batch.uploads if attempt is None else attempt,
        upload=batch.upload,
        timeout=provider.create_timeout,
    )


def _remote(batch: Batch) -> RemoteBatch:
    assert batch.remote is not None
    return RemoteBatch(batch.remote, batch.key, batch.details)


def _words(error: Exception, provider: ConfiguredProvider) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {provider.create_timeout:.0f} s"
    return str(error) or type(error).__name__
