"""Give each part of a batch its share of the answers."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Distribute
from ...work.collecting.distribute import DistributeTask, Share, distribute
from ..context import Context


async def distribute_batch(context: Context, action: Distribute) -> None:
    """Give each part of a batch its share of the answers, then let go of the batch."""
    batch = await context.store.batches.get(action.batch)
    parts = await context.store.batches.parts(batch.key)
    shares = [Share(part.job, part.first, part.rows, str(context.spool.answers(part))) for part in parts]
    spool = context.spool
    task = DistributeTask(
        str(spool.batch_answers(batch.key)),
        shares,
        str(spool.batch_strays(batch.key)),
        str(spool.batch_input(batch.key)),
        kept=str(spool.kept_answers(parts[0].job, batch.key)) if len({part.job for part in parts}) == 1 else None,
    )
    done = await context.local.run(distribute, task)
    await context.store.batches.distributed(batch, answers=done.answers, strays=done.strays)
    await asyncio.to_thread(spool.remove_batch, batch.key)
