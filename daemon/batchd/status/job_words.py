"""Where a job is and what it waits for, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from .formatting import count, local_time
from .room import DISK

if TYPE_CHECKING:
    from ..store.reading.records import BatchSummary, JobSummary

STATES = {
    "claiming": "being taken",
    "claimed": "being read",
    "planning": "being planned",
    "held": "held",
    "delivering": "being delivered",
    "rejecting": "being rejected",
    "failed": "stands still",
    "done": "done",
    "cancelled": "cancelled",
    "rejected": "rejected",
}
_SENT = ("submitted", "ended", "fetched")


def state_in_words(job: JobSummary) -> str:
    """Two or three words for a column."""
    if job.cancelled and not job.final:
        return "being cancelled"
    if job.state == "done" and job.reason_code == "max_failed":
        return "failed"
    if job.state != "running":
        return STATES.get(job.state, job.state)
    if any(batch.state == "held" for batch in job.batches):
        return "held"
    if any(batch.state in _SENT for batch in job.batches):
        return "at the provider"
    if job.batches:
        return "being sent"
    if "answered" in job.parts:
        return "being joined"
    return "being planned" if "unplanned" in job.parts else "to be sent"


def needs_a_person(job: JobSummary) -> bool:
    """Whether nothing will happen until someone does something."""
    return job.state in {"held", "failed"} or any(batch.state == "held" for batch in job.batches)


def waits_for(job: JobSummary, subjects: Collection[str], *, awake: bool) -> str | None:
    """What has to happen next, None if the job is finished. `subjects` are those of the conditions there are."""
    if job.final:
        return None
    if job.state == "failed":
        return f"you, because {job.reason or 'it cannot go on.'}"
    if job.state == "held":
        from ..money.budget import waits_for_money

        because = f", because {job.reason}" if job.reason else ""
        if waits_for_money(job.reason_code):
            return f"room in the budget{because}; to let it go on now: batchd approve {job.id}"
        return f"your approval{because}: batchd approve {job.id}"
    for batch in job.batches:
        if batch.state == "held":
            return (
                f"you: does {batch.provider} have batch {batch.key}? Look there, then "
                f"batchd resolve {batch.key} --found ID, or --absent"
            )
    if not awake:
        return "a daemon, and none is running: batchd run"
    for subject in (DISK, *_relevant(job)):
        if subject in subjects:
            return subject if subject != f"job {job.id}" else "what is said of it above"
    if job.state == "planning" and job.duplicate_of is not None:
        return f"job {job.duplicate_of}, which is of the same file: its answers are delivered again, at no cost"
    return _ON_ITS_WAY.get(job.state) or _of_batches(job)


_ON_ITS_WAY = {
    "claiming": "the file to be taken out of the inbox",
    "claimed": "the file to be read",
    "planning": "its rows to be turned into requests",
    "delivering": "its results to be delivered",
    "rejecting": "the file to be put into the rejected folder",
}


def _relevant(job: JobSummary) -> list[str]:
    """Whose conditions keep the job waiting, the most particular first."""
    if job.state == "running":
        return [f"job {job.id}", *(f"batch {batch.key}" for batch in job.batches), f"provider {job.provider}"]
    if job.state == "delivering":
        return [f"job {job.id}", *(f"sink {sink}" for sink in job.sinks)]
    return [f"job {job.id}"]


def _of_batches(job: JobSummary) -> str:
    unknown = [batch.key for batch in job.batches if batch.state == "submitting"]
    if unknown:
        return f"certainty whether {job.provider} has batch {', '.join(unknown)}; it will not be created twice"
    there = [batch for batch in job.batches if batch.state == "submitted"]
    if there:
        ours, answered = sum(batch.ours for batch in there), sum(batch.answered for batch in there)
        rest = f"{answered:,} of {count(ours, 'request')} answered"
        return f"{job.provider}: {count(len(there), 'batch', 'batches')} there, {rest}{_standstill(job, there)}"
    if any(batch.state in _SENT for batch in job.batches):
        return f"its answers to be fetched from {job.provider}"
    if job.batches:
        return f"its requests to be sent to {job.provider}"
    if "answered" in job.parts:
        return "its answers to be joined with its rows"
    if "planned" in job.parts:
        return f"a batch to {job.provider}, which others may share"
    return "its rows to be turned into requests"


def _standstill(job: JobSummary, there: Sequence[BatchSummary]) -> str:
    """Since when nothing has moved, for people to judge; and which batches are not waited for any longer."""
    stopping = [batch.key for batch in there if batch.stopping_at is not None]
    if stopping:
        stood_still = "" if job.cancelled else "stood still too long and "
        return f"; batch {', '.join(stopping)} {stood_still}is being stopped there"
    since = min((batch.progress_at for batch in there if batch.progress_at is not None), default=None)
    if since is None:
        return ""
    return f", {'' if len(there) == 1 else 'one of them '}unchanged since {local_time(since)}"
