"""Look whether a batch of unknown outcome exists at its provider."""

from __future__ import annotations

from ...contracts import RemoteBatch
from ...domain.lifecycle import Find
from ...domain.records import Batch, HeldFor
from ...errors import CannotFind, NotKnownYet, ProviderError, RejectedError, TransientError
from ...money.lanes import Lane
from ..accounts import hold_for_account
from ..context import ConfiguredProvider, Context
from ..provider_calls import LISTING_MAY_TAKE, limited, open_provider, submission
from ..retry_later import RetryLater

LOOKS = 2
"""How many looks without finding it show that a batch of unknown outcome was not created."""
MAX_UNLISTED = 6
"""After so many creates of unknown outcome that the list does not show, the list itself is in doubt."""
TIME_WILL_TELL = 300.0
"""Seconds between looks where only the end of other batches can show whether the batch exists."""


async def find(context: Context, action: Find) -> None:
    """Look whether a batch of unknown outcome exists. It is created again only after two looks without finding it."""
    batch = await context.store.batches.get(action.batch)
    provider = await open_provider(context, batch.provider)
    try:
        async with limited(provider, "list its batches", more=LISTING_MAY_TAKE):
            found = list(await provider.plugin_for(batch.lane).find(submission(context, batch, provider)))
    except NotKnownYet as error:
        context.not_known_yet.add(batch.key)
        await context.store.batches.looked(batch, 0)
        raise RetryLater(
            TIME_WILL_TELL,
            f"{error} Its rows wait, and are not asked a second time; all others go on. batchd looks again every "
            f"{TIME_WILL_TELL / 60:.0f} minutes. For the operator: if you can see it at the provider, run `batchd "
            f"resolve {batch.key} --found ID`; if you see that it is not there, `batchd resolve {batch.key} --absent`.",
        ) from None
    except CannotFind as error:
        await context.store.batches.held(
            batch,
            HeldFor.OUTCOME,
            f"{error} {_look_there(batch)}",
        )
        return
    context.not_known_yet.discard(batch.key)
    context.looked_for_copies.add(batch.provider)
    if found:
        for duplicate in found[1:]:
            try:
                async with limited(provider, f"stop the batch {duplicate}"):
                    await provider.plugin_for(batch.lane).cancel(RemoteBatch(duplicate, batch.key, {}))
            except (TransientError, RejectedError):
                raise
            except ProviderError:  # the duplicate runs to its end then, and its answers are used
                pass
        await context.store.batches.found(batch, found[0], found[1:], context.clock.now())
    elif await hold_for_account(context, batch, provider):
        return
    elif batch.lane is Lane.LIVE or batch.looks + 1 >= LOOKS:
        if batch.lane is Lane.BATCH and batch.unlisted + 1 >= MAX_UNLISTED and not await _lists(context, provider):
            await context.store.batches.held(
                batch,
                HeldFor.OUTCOME,
                f"{provider.name} gave no clear answer to {batch.unlisted + 1} calls that create it, and its list of "
                "batches shows none of them, nor any other of ours. They may have been made all the same, so batchd "
                f"makes no more. {_look_there(batch)}",
            )
            return
        await context.store.batches.not_found(batch)
    else:
        await context.store.batches.looked(batch, batch.looks + 1)
        raise RetryLater(min(30.0, provider.create_timeout / 2))


def _look_there(batch: Batch) -> str:
    return (
        f"Look at the provider whether a batch made from the file {batch.upload or 'batchd-' + batch.key} exists. "
        f"If it does: `batchd resolve {batch.key} --found ID`. If not: `batchd resolve {batch.key} --absent`."
    )


async def _lists(context: Context, provider: ConfiguredProvider) -> bool:
    """Whether the provider's list shows a batch that is known to exist: then a batch that it lacks does not exist."""
    known = await context.store.batches.last_sent(provider.name)
    if known is None:
        return False
    async with limited(provider, "list its batches", more=LISTING_MAY_TAKE):
        return known.remote in await provider.plugin_for(Lane.BATCH).find(submission(context, known, provider))
