"""Ask a provider to stop working on a batch."""

from __future__ import annotations

from ...domain.lifecycle import CancelBatch
from ..context import Context
from ..provider_calls import limited, open_provider, remote_of


async def cancel_batch(context: Context, action: CancelBatch) -> None:
    """Ask the provider to stop working on a batch that only cancelled jobs are in, or that does not move."""
    batch = await context.store.batches.get(action.batch)
    provider = await open_provider(context, batch.provider)
    async with limited(provider, f"stop the batch {batch.remote}"):
        await provider.plugin_for(batch.lane).cancel(remote_of(batch))
    await context.store.batches.cancel_asked(batch, context.now())
