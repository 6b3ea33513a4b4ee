"""Puts pauses in force: nothing new of what people have paused is sent, and what was sent is collected."""

from __future__ import annotations

from ..live.provider import LiveBatchProvider
from .context import Context


async def put_in_force(context: Context) -> None:
    """Load what is paused from the store: after an order, and at the start."""
    context.paused = await context.store.pauses.now()
    hold_live_calls(context)


def hold_live_calls(context: Context) -> None:
    """Begin no more live calls for batches that are paused, or that wait for the hours of their route."""
    held = context.paused.live | context.outside.live
    for provider in context.configured.providers.values():
        if isinstance(provider.live, LiveBatchProvider):
            provider.live.hold(held)
