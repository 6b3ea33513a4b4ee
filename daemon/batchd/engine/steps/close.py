"""Reconcile the rows of a job, and reserve the names of its outputs."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.lifecycle import Close
from ...domain.records import Job, Part
from ..context import Context
from .identical_rows import follow_other_parts
from .output_names import reserve_outbox_name


async def close(context: Context, action: Close) -> None:
    """Check that every row has its outcome, and reserve the names of the outputs."""
    found = await context.store.gathering.for_closing(action.job)
    parts = await follow_other_parts(context, found.job, found.parts)
    if await is_settled(context, found.job, parts):
        await reserve_outbox_name(context, found.job, replaces=found.replaces)


async def is_settled(context: Context, job: Job, parts: Sequence[Part]) -> bool:
    """Whether every row has its outcome. If not, stop the job."""
    rows, settled = sum(part.rows for part in parts), sum(part.settled for part in parts)
    if rows != job.rows or settled > rows or (settled < rows and not job.cancelled):
        ok, failed, empty = (sum(getattr(part, name) for part in parts) for name in ("ok", "failed", "empty"))
        reason = (
            f"The file came in with {job.rows} rows, its parts hold {rows}, and {ok} ok + {failed} failed + {empty} "
            "empty are settled."
        )
        await stand_still(context, job, reason)
        return False
    return True


async def stand_still(context: Context, job: Job, reason: str) -> None:
    """Stop a job whose rows do not add up. It fails and does not wait: people would take a part for the whole."""
    await context.store.jobs.failed(
        job,
        "rows_do_not_add_up",
        f"its rows do not add up. {reason} Nothing is delivered, and the original is kept. Either a file in the state "
        f"folder was changed or damaged, or this is a fault of batchd: please report it with the output of "
        f"`batchd events {job.id}`. Once the state folder is fixed: `batchd retry {job.id}`.",
    )
