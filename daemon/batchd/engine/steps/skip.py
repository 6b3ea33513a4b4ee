"""End what is open of a cancelled job."""

from __future__ import annotations

from ...domain.lifecycle import Skip
from ..context import Context


async def skip(context: Context, action: Skip) -> None:
    """End what is open of a cancelled job."""
    await context.store.jobs.skip(action.job)
