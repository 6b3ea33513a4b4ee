"""The rows of a finished job with their outcomes, as its sinks were given them."""

from __future__ import annotations

from ..contracts import ResultRows
from ..delivery.outbox import SpoolRows
from ..domain.records import JobState
from ..engine.context import Context
from ..engine.steps.render import shape_of
from ..web.backend import NoResults


async def results_of(context: Context, job_id: str, since: int = 0) -> ResultRows:
    """Return all rows from row `since` on. Raise NoResults if there are none."""
    job = await context.store.jobs.get(job_id)
    name = f"{job.source} (job {job.id})"
    if not job.state.final:
        raise NoResults(f"{name} is not finished, so it has no results yet.")
    if job.state is JobState.REJECTED:
        raise NoResults(f"{name} was rejected: {job.reason or 'it could not be read.'}")
    if job.purged_at is not None:
        raise NoResults(f"{name} was purged: batchd keeps nothing of it.")
    if job.swept_at is not None:
        raise NoResults(
            f"The rows of {name} are not kept any longer ([intake] keep_finished). The files in the outbox are: see "
            "the files of the job."
        )
    if job.rows is None:
        raise NoResults(f"{name} was cancelled before it was read, so it has no rows.")
    parts = await context.store.jobs.parts(job.id)
    return SpoolRows(context.spool, job, parts, shape_of(job).answer_columns, since=since)
