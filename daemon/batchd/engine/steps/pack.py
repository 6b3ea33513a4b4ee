"""Commit batches with their parts, before anything is sent."""

from __future__ import annotations

from ...domain.lifecycle import Pack
from ...domain.records import Batch, BatchState
from ..context import Context


async def pack(context: Context, action: Pack) -> None:
    """Commit batches with their parts, before anything is sent."""
    # Made before the others, since batches of one moment are ordered by their keys.
    next_key = context.clock.new_id()
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
            lane=action.lane,
        )
        packed.append((batch, parts))
    await context.store.batches.packed(packed, next_key=next_key)
