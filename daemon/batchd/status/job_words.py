"""Where a job is and what it waits for, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ..domain.states import FAILED_AT_THE_END, USELESS
from ..domain.subjects import DISK, EVERYTHING, Subject, SubjectKind, subjects_of
from .formatting import count, since, span

if TYPE_CHECKING:
    from ..store.reading.records import BatchSummary, JobSummary

STATES = {
    "claiming": "arriving",
    "claimed": "reading",
    "planning": "preparing",
    "held": "held",
    "chained": "between steps",
    "delivering": "writing results",
    "rejecting": "being returned",
    "failed": "stopped",
    "done": "done",
    "cancelled": "cancelled",
    "rejected": "rejected",
}
_SENT = ("submitted", "ended", "fetched")
QUIET_AFTER = 600.0
"""Seconds without news of a batch before people are told so: polls are up to five minutes apart."""


def state_in_words(job: JobSummary) -> str:
    """Two or three words for a column."""
    if job.now_in is not job and not job.cancelled:
        return state_in_words(job.now_in)
    if job.cancelled and not job.final:
        return "cancelling"
    if job.state == "done" and job.reason_code in FAILED_AT_THE_END:
        return "failed"
    if job.state != "running":
        return STATES.get(job.state, job.state)
    if any(batch.state == "held" for batch in job.batches):
        return "held"
    if any(batch.state in _SENT for batch in job.batches):
        return "waiting for answers"
    if job.batches:
        return "sending"
    if "answered" in job.parts:
        return "reading answers"
    return "preparing" if "unplanned" in job.parts else "waiting to be sent"


def outcomes(job: JobSummary) -> list[str]:
    """How many rows have each outcome: `3 ok`, and what else there is."""
    others = ((job.failed, "failed"), (job.skipped, "skipped"))
    return [f"{job.ok:,} ok", *(f"{number:,} {outcome}" for number, outcome in others if number)]


def needs_a_person(job: JobSummary) -> bool:
    """Whether the job waits for a person."""
    if job.now_in is not job:
        return needs_a_person(job.now_in)
    return job.state in {"held", "failed"} or any(batch.state == "held" for batch in job.batches)


def waits_for(job: JobSummary, subjects: Collection[Subject], *, awake: bool, now: float = 0.0) -> str | None:
    """What the job waits for, None if it is finished. `subjects` are those of the current conditions."""
    if job.final:
        return None
    if (step := job.now_in) is not job:
        return f"the step {step.route}: {waits_for(step, subjects, awake=awake, now=now)}"
    if job.state == "failed":
        return f"you, because {job.reason or 'it cannot go on.'}"
    if job.state == "held":
        from ..money.budget import waits_for_money

        if job.reason_code == USELESS:
            return f"you, because {job.reason}"
        because = f", because {job.reason}" if job.reason else ""
        if waits_for_money(job.reason_code):
            return f"room in the budget{because}; to let it go on now: batchd approve {job.id}"
        return f"your approval{because}: batchd approve {job.id}"
    for batch in job.batches:
        if batch.state == "held" and batch.held_for is not None and batch.held_for != "outcome":
            return f"you: {batch.reason}"
        if batch.state == "held":
            return (
                f"you: does {batch.provider} have batch {batch.key}? Look there, then "
                f"batchd resolve {batch.key} --found ID, or --absent"
            )
    if not awake:
        return "a daemon, and none is running: batchd run"
    for subject in (DISK, *relevant(job)):
        if subject in subjects and subject.kind is SubjectKind.PAUSE:
            name = "" if subject.name == EVERYTHING else f" {subject.name.partition(' ')[2]}"
            return f"you: {subject.name} is paused. To go on: batchd resume{name}"
        if subject in subjects and subject.kind is SubjectKind.HOURS:
            if any(batch.state in _SENT and batch.live_rate is None for batch in job.batches):
                continue  # it waits for the provider first
            return f"the hours in which the route {subject.name} sends"
        if subject in subjects and subject.kind not in _OF_SWITCHING:
            return str(subject) if subject != Subject.job(job.id) else "what stands above"
    if job.state == "planning" and job.duplicate_of is not None:
        return f"job {job.duplicate_of}, which is of the same file: its answers are delivered again, at no cost"
    late = "; it will be late, for the reason above" if Subject(SubjectKind.DEADLINE, job.id) in subjects else ""
    return _ON_ITS_WAY.get(job.state) or _of_batches(job, now) + _resting(job, now) + _switched(job) + late


_ON_ITS_WAY = {
    "claiming": "the file to be moved out of the inbox",
    "claimed": "the file to be read",
    "chained": "the next step to begin, or the last to be joined to the results",
    "planning": "its questions to be prepared",
    "delivering": "its results to be written",
    "rejecting": "the file to be put into the rejected folder",
}


def rests_until(job: JobSummary, now: float) -> float | None:
    """When rows that the service refused are asked again; None if none wait for that."""
    step = job.now_in
    return step.rest_until if step.state == "running" and (step.rest_until or 0.0) > now else None


def _resting(job: JobSummary, now: float) -> str:
    rest = rests_until(job, now)
    return "" if rest is None else f"; rows that {job.provider} refused rest until {since(rest, now)}"


def _switched(job: JobSummary) -> str:
    """That the job is asked in another way than it began."""
    if job.moved_from is not None:
        return f"; its rows go to {job.provider} in place of {job.moved_from}"
    return "; it would have been late, so its rows are asked by live calls" if job.late_at is not None else ""


_OF_SWITCHING = frozenset({SubjectKind.DEADLINE, SubjectKind.FALLBACK})
"""Conditions that keep a job from being asked in another way: meanwhile it waits for the provider it asks now."""


def relevant(job: JobSummary) -> list[Subject]:
    """The subjects whose conditions keep the job waiting, the most specific first."""
    if job.state == "running":
        batches = (batch.key for batch in job.batches)
        provider = job.batches[0].provider if job.batches else job.provider
        subjects = subjects_of(job.id, provider=provider, route=job.route, sinks=(), batches=batches)
        # A pause does not keep sent rows from being answered.
        sent = any(batch.state in _SENT and batch.live_rate is None for batch in job.batches)
        return [each for each in subjects if not (sent and each.kind is SubjectKind.PAUSE)]
    if job.state == "delivering":
        return [Subject.job(job.id), *(Subject.sink(name) for name in job.sinks)]
    return [Subject.job(job.id)]


def _of_batches(job: JobSummary, now: float) -> str:
    unknown = [batch.key for batch in job.batches if batch.state == "submitting"]
    if unknown:
        return f"a check whether {job.batches[0].provider} has batch {', '.join(unknown)}; it will not be created twice"
    there = [batch for batch in job.batches if batch.state == "submitted"]
    if there:
        ours, answered = sum(batch.ours for batch in there), sum(batch.answered for batch in there)
        batches = count(len(there), "batch", "batches")
        live = next((batch.live_rate for batch in there if batch.live_rate is not None), None)
        how = f"live calls: {live}" if live is not None else batches
        return f"{there[0].provider}: {answered:,} of {ours:,} answered ({how}){_standstill(job, there, now)}"
    if any(batch.state in _SENT for batch in job.batches):
        return f"its answers to be downloaded from {job.batches[0].provider}"
    if job.batches:
        return f"its questions to be sent to {job.provider}"
    if "answered" in job.parts:
        return "its answers to be matched with its rows"
    if "planned" in job.parts:
        return f"a batch to {job.provider}, which other files may share"
    return "its questions to be prepared"


def _standstill(job: JobSummary, there: Sequence[BatchSummary], now: float) -> str:
    """How long there has been no news, and which batches are being stopped."""
    stopping = [batch.key for batch in there if batch.stopping_at is not None]
    if stopping:
        cut = any(batch.cut_at is not None for batch in there)
        why = "" if job.cancelled else ", since it would be late" if cut else " after no news for too long"
        return f"; stopping batch {', '.join(stopping)} there{why}"
    quiet = max((now - batch.progress_at for batch in there if batch.progress_at is not None), default=0.0)
    if quiet < QUIET_AFTER:
        return ""
    return f", no news {'' if len(there) == 1 else 'of one of them '}for {span(quiet)}"
