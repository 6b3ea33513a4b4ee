"""What people have paused, as the engine knows it: nothing new of it is sent, and what is sent is collected."""

from __future__ import annotations

from ..live.provider import LiveBatchProvider
from .context import Context


async def put_in_force(context: Context) -> None:
    """Know what is paused by what is stored: after an order, and at the start."""
    context.paused = await context.store.pauses.now()
    hold_live_calls(context)


def hold_live_calls(context: Context) -> None:
    """Of what is paused, or waits for the hours of its route, no more live calls begin."""
    held = context.paused.live | context.outside.live
    for provider in context.configured.providers.values():
        if isinstance(provider.live, LiveBatchProvider):
            provider.live.hold(held)
