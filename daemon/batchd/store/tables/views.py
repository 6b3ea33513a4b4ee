"""A job as `next_actions` wants it: put together inside of a transaction that is open already."""

from __future__ import annotations

from ...domain.lifecycle import JobView
from ...domain.records import Job, JobState, PartState
from ..database import Transaction
from .mapping import part_of

PARTS_AT_A_TIME = 32
"""How many workable parts of one job are looked at in one go: more than there are workers, fewer than cost."""


def view_of(tx: Transaction, job: Job) -> JobView:
    """The job with the counts of its parts and those with work to do, or with the sinks that have published it."""
    if job.state not in {JobState.PLANNING, JobState.HELD, JobState.RUNNING, JobState.DELIVERING}:
        return JobView(job)
    if job.state is JobState.DELIVERING:
        # No part has work any more.
        return JobView(job, delivered=frozenset(row["sink"] for row in tx.fetch("delivered_sinks", job=job.id)))
    rows = tx.fetch("part_counts", job=job.id)
    counts = {PartState(row["state"]): row["number"] for row in rows if not row["later"]}
    later = sum(row["number"] for row in rows if row["later"])
    planned = next((row["first"] for row in rows if row["state"] == PartState.UNPLANNED and not row["later"]), 0)
    workable = [part_of(row) for row in tx.fetch("workable_parts", job=job.id, most=PARTS_AT_A_TIME)]
    return JobView(job, counts, workable, later=later, planned_rows=planned)
