"""When a job's answers are usually there: by how long batches of its provider took, or by how fast live calls go."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..store.reading.records import JobSummary
    from ..store.reading.snapshot import State

UsualTimes: TypeAlias = Mapping[tuple[str, str], float]
"""Seconds from the submission of a batch to its end, by provider and lane: the median of the last batches."""

LIVE = "live"


def usual_times(state: State) -> UsualTimes:
    """How long the last batches took, by provider and lane."""
    took: dict[tuple[str, str], list[float]] = {}
    for provider, lane, seconds in state.durations():
        took.setdefault((provider, lane), []).append(seconds)
    return {key: median(seconds) for key, seconds in took.items()}


def expected_at(job: JobSummary, usual: UsualTimes, now: float) -> float | None:
    """When the job's answers are usually there, by the wall clock; None if unknown. The time may be in the past."""
    there = [batch for batch in job.batches if batch.state == "submitted" and batch.submitted_at is not None]
    if not there or job.rows is None:
        return None
    began = min(batch.submitted_at or now for batch in there)
    if all(batch.lane == LIVE for batch in there):
        answered = sum(batch.answered for batch in there)
        if not answered or now <= began:
            return None
        return now + (job.rows - job.answered) * (now - began) / answered
    times = [usual.get((batch.provider, batch.lane)) for batch in there]
    known = [(batch.submitted_at or now) + took for batch, took in zip(there, times, strict=True) if took is not None]
    if len(known) < len(there):
        return None
    rest = usual[there[0].provider, there[0].lane] if job.parts.keys() & {"planned", "unplanned"} else 0.0
    return max(*known, now + rest) if rest else max(known)
