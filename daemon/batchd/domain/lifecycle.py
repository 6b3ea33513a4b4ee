"""What to do next, as values: pure functions from what is stored to actions.

Start-up, a watcher event, a finished poll and a crash all lead to the same question, so there is no recovery
code: an action whose change was not committed is simply still the next one. Hence the one rule for
the code that carries them out: an action may be carried out again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..model import BatchPhase
from .records import Batch, BatchState, Job, JobState, Moment, Part, PartState, QueuedPart


@dataclass(frozen=True, slots=True)
class Claim:
    """Take the file out of the inbox into the spool."""

    job: str


@dataclass(frozen=True, slots=True)
class Read:
    """Turn the source into rows.jsonl and cut it into parts."""

    job: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Put the source and the reason into the rejected folder."""

    job: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Write the request file of a part's current attempt."""

    job: str
    first: int


@dataclass(frozen=True, slots=True)
class Redeliver:
    """Take the answers of an earlier job with the same bytes and route, once it has them."""

    job: str


@dataclass(frozen=True, slots=True)
class Admit:
    """All parts are planned: price the job and let it run, or hold it."""

    job: str


@dataclass(frozen=True, slots=True)
class Note:
    """Write the note about a held job into the held folder, or take it away once the job is not held any more."""

    job: str


@dataclass(frozen=True, slots=True)
class Collect:
    """Turn a part's answers into results; what is left over is the next attempt."""

    job: str
    first: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The job is cancelled: end its parts that no provider is working on."""

    job: str


@dataclass(frozen=True, slots=True)
class Close:
    """All parts are collected: reconcile the rows and reserve the names of the outputs."""

    job: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Publish the job through one sink."""

    job: str
    sink: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything is published: write the report and archive the original."""

    job: str


@dataclass(frozen=True, slots=True)
class Upload:
    """Write the batch's input file and send it ahead."""

    batch: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Commit the intent, then create the batch: the call that costs money."""

    batch: str


@dataclass(frozen=True, slots=True)
class Find:
    """Look whether a batch of unknown outcome exists at the provider."""

    batch: str


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the provider how far the batch is."""

    batch: str


@dataclass(frozen=True, slots=True)
class CancelBatch:
    """Ask the provider to stop working on a batch that is not wanted any more, or that stands still."""

    batch: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Download the batch's answers."""

    batch: str


@dataclass(frozen=True, slots=True)
class Distribute:
    """Give each part of the batch its share of the answers."""

    batch: str


@dataclass(frozen=True, slots=True)
class Pack:
    """Put these waiting parts together, each tuple of them into one batch."""

    provider: str
    model: str
    endpoint: str
    batches: tuple[tuple[QueuedPart, ...], ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Cut a part that no batch can take whole."""

    job: str
    first: int
    pieces: int
    reason: str


JobAction: TypeAlias = (
    Claim | Read | Reject | Redeliver | Plan | Admit | Note | Collect | Skip | Close | Deliver | Finish
)
BatchAction: TypeAlias = Upload | Submit | Find | Poll | CancelBatch | Fetch | Distribute
Action: TypeAlias = JobAction | BatchAction | Pack | Split


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with what is needed to decide: how many parts are in each state, and those with local work to do."""

    job: Job
    parts: Mapping[PartState, int] = field(default_factory=dict)
    workable: Sequence[Part] = ()
    delivered: frozenset[str] = frozenset()

    @property
    def open_parts(self) -> int:
        """How many parts do not have all their outcomes yet."""
        return sum(number for state, number in self.parts.items() if state is not PartState.COLLECTED)


def next_actions(view: JobView) -> Iterator[JobAction]:
    """What can be done for a job now, most urgent first. Nothing, if it waits for a batch or for a person."""
    job = view.job
    if (job.state is JobState.HELD) != (job.note is not None):
        yield Note(job.id)
    match job.state:
        case JobState.CLAIMING:
            yield Claim(job.id)
        case JobState.CLAIMED:
            yield Read(job.id)
        case JobState.REJECTING:
            yield Reject(job.id)
        case JobState.PLANNING | JobState.RUNNING | JobState.HELD:
            yield from _part_actions(view)
        case JobState.DELIVERING:
            waiting = [sink for sink in job.route.sinks if sink not in view.delivered]
            yield from (Deliver(job.id, sink) for sink in waiting)
            if not waiting:
                yield Finish(job.id)
        case _:
            pass


def _part_actions(view: JobView) -> Iterator[JobAction]:
    job = view.job
    if job.duplicate_of is not None and job.planned_at is None:
        yield Redeliver(job.id)
        return
    for part in view.workable:
        if part.state is PartState.ANSWERED:
            yield Collect(job.id, part.first)
        elif part.state is PartState.UNPLANNED and not job.cancelled and job.state is not JobState.HELD:
            yield Plan(job.id, part.first)
    if job.cancelled and (view.parts.get(PartState.UNPLANNED) or view.parts.get(PartState.PLANNED)):
        yield Skip(job.id)
    elif job.state is JobState.PLANNING and not job.cancelled:
        # Also where nothing is left to ask: that is said, and at which terms it would have been.
        if not view.parts.get(PartState.UNPLANNED):
            yield Admit(job.id)
    elif not view.open_parts:
        yield Close(job.id)


def next_batch_actions(batch: Batch, now: Moment, *, create_timeout: float) -> Iterator[BatchAction]:
    """What can be done for a batch now."""
    match batch.state:
        case BatchState.PACKED:
            yield Upload(batch.key)
        case BatchState.UPLOADED:
            yield Submit(batch.key)
        case BatchState.SUBMITTING:
            if outcome_wait(batch, now, create_timeout=create_timeout) <= 0:
                yield Find(batch.key)
        case BatchState.SUBMITTED:
            if (not batch.wanted or batch.stopping is not None) and batch.phase is not BatchPhase.CANCELLING:
                yield CancelBatch(batch.key)
            yield Poll(batch.key)
        case BatchState.ENDED:
            yield Fetch(batch.key)
        case BatchState.FETCHED:
            yield Distribute(batch.key)
        case _:
            pass


def outcome_wait(batch: Batch, now: Moment, *, create_timeout: float) -> float:
    """Seconds until a create call of unknown outcome can no longer take effect, so that looking for it is safe.

    Looking at once and creating again paid twice for 24 of 147 batches in a trial; after three times the
    time-out, for none of 148.
    """
    if batch.intent is None:
        return 0.0
    return 3 * create_timeout - batch.intent.age(now)
