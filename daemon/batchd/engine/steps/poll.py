"""Polls a batch: asks the provider how far it is."""

from __future__ import annotations

from dataclasses import asdict

from ...contracts import RemoteBatch
from ...domain.lifecycle import Poll
from ...domain.records import Batch, Moment
from ...domain.states import LIVE_TRUSTED, LIVE_WEIGHT
from ...errors import RemoteMissing
from ...model import BatchPhase, BatchStatus, Problem
from ...money.lanes import Lane
from ...sending.accounts import Stage
from ...sending.missing_answers import ABANDONED, VANISHED
from ...sending.stalling import StallDecision, decide_stall, unmoved_since
from ...values import replace
from ..accounts import hold_for_account, note_account
from ..context import ConfiguredProvider, Context
from ..provider_calls import limited, open_provider, remote_of

MAX_MISSING = 3_600.0
"""Seconds for which a provider says that a batch, or its answers, are not there before batchd believes it."""
NOTED_EVERY = 10.0
"""Seconds between notes of an unchanged status. They also show that the database can still be written."""
MISSING_SINCE = "batchd_missing_since"
ENDED = "batchd_ended"


async def poll(context: Context, action: Poll) -> None:
    """Ask how far the batch is."""
    batch = await context.store.batches.get(action.batch)
    provider = await open_provider(context, batch.provider)
    try:
        async with limited(provider, f"say how far the batch {batch.remote} is"):
            status = await provider.plugin_for(batch.lane).poll(await _with_weight(context, batch))
    except RemoteMissing:
        if await hold_for_account(context, batch, provider):
            return
        status = await _vanished(context, batch)
    else:
        await note_account(context, batch, provider)
    was_new = batch.phase in {None, BatchPhase.VALIDATING}
    if was_new and status.phase in {BatchPhase.IN_PROGRESS, BatchPhase.FINALIZING, BatchPhase.COMPLETED}:
        context.quotas.accepted((batch.provider, batch.model))
        context.accounts.passed(batch.provider, batch.model, Stage.VALIDATION)
    if not status.phase.ended:
        left = await _still_there(context, batch, status, provider)
        if left is None:
            return
        status = left
    noted = replace(status, details={**status.details, ENDED: asdict(context.now())})
    await context.store.batches.ended(batch, noted, context.clock.now())
    if status.phase is not BatchPhase.FAILED:
        context.quotas.freed((batch.provider, batch.model))


async def _with_weight(context: Context, batch: Batch) -> RemoteBatch:
    """The batch as its provider knows it.

    A live batch also has the current priority of its route, and whether its job has answers already.
    """
    remote, configured = remote_of(batch), context.configured
    if batch.lane is not Lane.LIVE:
        return remote
    routes = await context.store.learnt.routes_of(batch)
    weight = max((configured.priority(each.name) for each in routes), default=1)
    trusted = await context.store.learnt.is_trusted(batch)
    return replace(remote, details={**remote.details, LIVE_WEIGHT: weight, LIVE_TRUSTED: trusted})


async def _still_there(
    context: Context, batch: Batch, status: BatchStatus, provider: ConfiguredProvider
) -> BatchStatus | None:
    """Note how far the batch is, and have it stopped once it has stood still for too long.

    Return the status that it ends with, None if it goes on. This is decided right after its provider has answered: one
    that does not answer may be at work all the same.
    """
    now = context.now()
    progress = unmoved_since(batch, status, now, poll=provider.poll)
    said = decide_stall(
        batch, status.phase, progress=progress, now=now, window=provider.plugin_for(batch.lane).completion_window
    )
    match said:
        case StallDecision.STOP:
            await context.store.batches.stalled(batch, status, now, quiet=progress.elapsed(now))
        case StallDecision.WAIT if _said_lately(batch, status, now):
            pass
        case StallDecision.WAIT:
            await context.store.batches.polled(batch, status, now, progress=progress)
        case StallDecision.LEAVE:
            deaf = Problem(ABANDONED, "the provider was asked to stop it and did not in six hours")
            return replace(status, phase=BatchPhase.EXPIRED, problems=(*status.problems, deaf))
    return None


def _said_lately(batch: Batch, status: BatchStatus, now: Moment) -> bool:
    """Whether this status was noted a moment ago: most polls bring nothing new, and need no sync to the disk."""
    if batch.phase is None or batch.heard is None or batch.heard.elapsed(now) >= NOTED_EVERY:
        return False
    problems = tuple(Problem(**record) for record in batch.problems)
    details = dict(batch.details)
    noted = BatchStatus(batch.phase, batch.total, batch.completed, batch.failed, problems, batch.usage, details)
    return status == noted


async def _vanished(context: Context, batch: Batch) -> BatchStatus:
    """The status of a batch that the provider has not known for an hour. Raise RemoteMissing before that.

    Its rows are then asked again, like those of a batch that expired, except for answers that can still be fetched.
    """
    now = context.now()
    # By a clock that does not jump: rows that are given up too soon are paid twice.
    since = batch.noted(MISSING_SINCE)
    if since is None:
        await context.store.batches.missing(batch, {**batch.details, MISSING_SINCE: asdict(now)})
    if since is None or since.age(now) < MAX_MISSING:
        raise RemoteMissing(f"The provider does not know batch {batch.remote} at the moment; it is asked about again.")
    gone = Problem(VANISHED, "the provider has not known this batch for an hour")
    return BatchStatus(BatchPhase.EXPIRED, batch.total, batch.completed, problems=(gone,), details=batch.details)
