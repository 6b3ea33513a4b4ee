"""Look whether a batch that is held can go on by itself: the old key is back, or the missing answers have come."""

from __future__ import annotations

from ...domain.lifecycle import Fetch, Recheck
from ...domain.records import HeldFor
from ...errors import RemoteMissing
from ..accounts import account_changed, note_account
from ..context import Context
from ..provider_calls import limited, open_provider, remote_of
from ..retry_later import RetryLater
from .fetch import fetch
from .missing_answers import HELD_PAUSE
from .poll import MISSING_SINCE

ACCOUNT_PAUSE = 60.0
"""Seconds between looks whether the provider knows the batch again."""


async def recheck(context: Context, action: Recheck) -> None:
    """Look, and let the batch go on if that is possible; else look again after a pause."""
    batch = await context.store.batches.get(action.batch)
    if batch.held_for is HeldFor.ANSWERS:
        try:
            await fetch(context, Fetch(batch.key))
        except RemoteMissing:
            raise RetryLater(HELD_PAUSE) from None
        return
    provider = await open_provider(context, batch.provider)
    details = {key: value for key, value in batch.details.items() if key != MISSING_SINCE}
    if account_changed(context, batch, provider):
        if batch.remote is None:
            raise RetryLater(ACCOUNT_PAUSE)
        try:
            async with limited(provider, f"say how far the batch {batch.remote} is"):
                await provider.plugin_for(batch.lane).poll(remote_of(batch))
        except RemoteMissing:
            raise RetryLater(ACCOUNT_PAUSE) from None
        await note_account(context, batch, provider)
    await context.store.batches.goes_on(batch, details)
