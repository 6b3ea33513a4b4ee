"""Notice that the state folder is an older copy, before a batch is created: what it lacks may be paid already."""

from __future__ import annotations

from ..domain.records import Batch, HeldFor
from ..errors import CannotFind, NotKnownYet, TransientError
from ..money.lanes import Lane
from .context import ConfiguredProvider, Context
from .provider_calls import LISTING_MAY_TAKE, limited, submission
from .retry_later import RetryLater

_PAUSE = 30.0
MAX_FAILED_LOOKS = 3
"""A list that fails so often does not keep batches from being created: a service may have a broken list for good."""


async def is_restored(context: Context, batch: Batch, provider: ConfiguredProvider) -> bool:
    """Whether the provider has a batch of this key, though it was never sent: then it is held. Looks once a start.

    The next key of each provider is stored, so an older copy of the database uses it a second time. Others of the same
    provider wait while one is held.
    """
    if batch.lane is Lane.LIVE or batch.provider in context.looked_for_copies:
        return False
    if not await context.store.batches.has_sent(batch.provider):
        # A new state: nothing was ever sent, so there is nothing to have forgotten.
        context.looked_for_copies.add(batch.provider)
        return False
    if await context.store.batches.held_as_copy(batch.provider):
        raise RetryLater(_PAUSE)
    try:
        async with limited(provider, "list its batches", more=LISTING_MAY_TAKE):
            found = list(await provider.plugin_for(batch.lane).find(submission(context, batch, provider)))
    except (CannotFind, NotKnownYet):
        found = []
    except TransientError:
        context.failed_looks[batch.provider] += 1
        if context.failed_looks[batch.provider] < MAX_FAILED_LOOKS:
            raise
        found = []
    if not found:
        context.looked_for_copies.add(batch.provider)
        return False
    await context.store.batches.held(
        batch,
        HeldFor.COPY,
        f"{batch.provider} has it already, as {found[0]}, though this state folder has not sent it. So the folder is "
        "an older copy: it was restored, or batchd works with the original elsewhere. What was asked since then may be "
        f"asked and paid again, so nothing is sent to {batch.provider} now. If no other batchd uses this state: "
        f"`batchd resolve {batch.key} --found {found[0]}` takes that batch's answers, and the rest is sent; "
        f"`batchd resolve {batch.key} --absent` sends this batch again as well.",
    )
    return True
