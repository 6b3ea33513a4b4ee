"""Create a batch at its provider: the call that costs money."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Submit, outcome_wait
from ...errors import NotSent, RejectedError, RemoteMissing, SubmissionRefused
from ...money.lanes import Lane
from ...sending.accounts import Stage
from ...system.threads import threads_of
from ..accounts import fingerprint_now
from ..context import ConfiguredProvider, Context
from ..lane_finding import lane_refused
from ..provider_calls import open_provider, submission
from ..restored import is_restored
from ..sending_hours import took_back
from .account_refusals import block, rejected_text
from .batch_refusals import handle_refusal
from .forget import delete_input


async def submit(context: Context, action: Submit) -> None:
    """Commit the intent, create the batch, commit its id. The create call is made once and never repeated blindly."""
    batch = await context.store.batches.get(action.batch)
    provider = await open_provider(context, batch.provider)
    if await took_back(context, batch):
        return
    if await is_restored(context, batch, provider):
        return
    if not await context.store.batches.submitting(batch, context.now(), fingerprint_now(context, provider, batch.lane)):
        return
    batch = await context.store.batches.get(batch.key)
    try:
        async with asyncio.timeout(provider.create_timeout):
            with threads_of(f"provider {provider.name}"):
                remote = await provider.plugin_for(batch.lane).submit(submission(context, batch, provider))
    except NotSent:
        await context.store.batches.not_submitted(batch)
        raise
    except RejectedError as refusal:
        if await lane_refused(context, batch, refusal):
            return
        await context.store.batches.not_submitted(batch)
        block(context, (batch.provider, ""), Stage.CREATE, rejected_text(refusal))
        raise
    except SubmissionRefused as refusal:
        await handle_refusal(context, batch, refusal.problems, str(refusal))
        await delete_input(context, batch, provider)
        return
    except RemoteMissing:
        # The provider does not know the input file: it was deleted after its retention, or by hand.
        await context.store.batches.upload_lost(batch)
        raise
    except Exception as error:  # noqa: BLE001  # whatever happened, the service may have created the batch
        wait = outcome_wait(batch, context.now(), create_timeout=provider.create_takes(batch.lane))
        await context.store.batches.outcome_unknown(batch, _words(error, provider), wait)
        return
    await context.store.batches.submitted(batch, remote, context.clock.now())
    if batch.lane is Lane.BATCH:
        provider.found.refused_at = None
        context.accounts.passed(batch.provider, batch.model, Stage.CREATE)


def _words(error: Exception, provider: ConfiguredProvider) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {provider.create_timeout:.0f} s"
    return str(error) or type(error).__name__
