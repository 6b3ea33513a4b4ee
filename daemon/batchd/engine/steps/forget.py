"""Deletes the input file of a batch that is over at its provider: some keep it until the account's storage is full."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Forget
from ...domain.records import Batch
from ..context import ConfiguredProvider, Context
from ..provider_calls import open_provider, submission
from ..retry_later import RetryLater

MAY_TAKE = 30.0
AGAIN_AFTER = 3_600.0
"""Seconds until it is tried again: nothing waits for it."""


async def forget(context: Context, action: Forget) -> None:
    """Delete the input file that is left after the end of a batch, as after a kill. If that fails, try again later."""
    batch = await context.store.batches.get(action.batch)
    if not await delete_input(context, batch):
        raise RetryLater(AGAIN_AFTER)


async def delete_input(context: Context, batch: Batch, provider: ConfiguredProvider | None = None) -> bool:
    """Try once to delete the input file, and note success. No answer of the provider is a reason to stop or wait."""
    try:
        provider = provider or await open_provider(context, batch.provider)
        async with asyncio.timeout(MAY_TAKE):
            await provider.plugin_for(batch.lane).forget(submission(context, batch, provider))
    except Exception:  # noqa: BLE001  # foreign code, and nothing depends on it
        return False
    await context.store.batches.input_file_deleted(batch.key)
    return True
