"""What to do next: pure functions from the stored records to actions.

The daemon calls them after its start, a watcher event, a finished poll and a crash alike. So there is no recovery
code: if the change of an action was not committed, that action is the next one again. Hence the rule for the code that
carries actions out: it must be safe to carry one out twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from ..model import BatchPhase
from ..money.lanes import Lane
from .records import Batch, BatchState, HeldFor, Job, JobState, Moment, Part, PartState, QueuedPart
from .states import PILOT, USELESS, Trial


class JobAction(Struct, frozen=True):
    """What is done next for a job."""

    job: str


class SwitchAction(JobAction, frozen=True):
    """A job is asked in another way from now on."""


class BatchAction(Struct, frozen=True):
    """What is done next for a batch."""

    batch: str


class Claim(JobAction, frozen=True):
    """Move the file from the inbox to the working files."""


class Read(JobAction, frozen=True):
    """Turn the source into rows.jsonl and cut it into parts."""


class Reject(JobAction, frozen=True):
    """Put the source and the reason into the rejected folder."""


class Plan(JobAction, frozen=True):
    """Write the request file of a part's current attempt."""

    first: int


class Redeliver(JobAction, frozen=True):
    """Copy the answers of an earlier job with the same bytes and route, once it has them; ask the other rows."""


class Admit(JobAction, frozen=True):
    """All parts are planned: price the job and let it run, or hold it."""


class SendEarly(JobAction, frozen=True):
    """Enough parts of a large file are planned: let them be sent while the rest is planned."""


class Hasten(SwitchAction, frozen=True):
    """The job would be late: ask its rows by live calls from now on, and end the batches that hold them."""


class Move(SwitchAction, frozen=True):
    """The job's provider has been down for long: ask the route's fallback about the rows that it does not hold."""


class Note(JobAction, frozen=True):
    """Write the note about a held job into the held folder, or remove it once the job is no longer held."""


class Collect(JobAction, frozen=True):
    """Turn a part's answers into results; the rows left over are its next attempt."""

    first: int


class Skip(JobAction, frozen=True):
    """The job is cancelled: end its parts that no provider is working on."""


class Close(JobAction, frozen=True):
    """All parts are collected: reconcile the rows and reserve the names of the outputs."""


class ShowPilot(JobAction, frozen=True):
    """The pilot's rows are answered: show them to a person, and hold the job until the others may be asked."""


class EndTry(JobAction, frozen=True):
    """The rows of a try are answered, or cannot be asked: it is over, and nothing is delivered."""


class HandOn(JobAction, frozen=True):
    """All parts of a job with a next step are collected: its answered rows become the job of that step."""


class Join(JobAction, frozen=True):
    """The later steps have ended: join their outcomes to the job's own."""


class EndStep(JobAction, frozen=True):
    """A later step of a chain has an outcome for each row: end it. The job that took the file delivers the rows."""


class Deliver(JobAction, frozen=True):
    """Publish the job through one sink."""

    sink: str


class Finish(JobAction, frozen=True):
    """Everything is published: write the report and archive the original."""


class Erase(JobAction, frozen=True):
    """Delete everything of a finished job that people do not have in their own folders."""


class Upload(BatchAction, frozen=True):
    """Write the batch's input file and upload it."""


class Submit(BatchAction, frozen=True):
    """Commit that the create call goes out, then create the batch: the call that costs money."""


class Find(BatchAction, frozen=True):
    """Look at the provider for a batch whose create call had an unknown outcome."""


class Poll(BatchAction, frozen=True):
    """Ask the provider for the batch's progress."""


class Recheck(BatchAction, frozen=True):
    """Check whether a held batch can go on: the old key is back, or the missing answers have come."""


class CancelBatch(BatchAction, frozen=True):
    """Ask the provider to stop working on a batch that is no longer needed, or that makes no progress."""


class Forget(BatchAction, frozen=True):
    """The batch is over: delete its input file at the provider."""


class Fetch(BatchAction, frozen=True):
    """Download the batch's answers."""


class Distribute(BatchAction, frozen=True):
    """Write to each part of the batch the answers to its rows."""


class Pack(Struct, frozen=True):
    """Make one batch of each tuple of waiting parts."""

    provider: str
    model: str
    endpoint: str
    batches: tuple[tuple[QueuedPart, ...], ...]
    lane: Lane = Lane.BATCH


class Split(JobAction, frozen=True):
    """Cut a part that is too large for any batch into pieces of `piece_requests` requests."""

    first: int
    piece_requests: int
    reason: str


Action: TypeAlias = JobAction | BatchAction | Pack


class JobView(Struct, frozen=True):
    """What decides the next actions of a job: the number of parts in each state, and the parts with local work.

    `later` counts the parts that wait until a person has seen the pilot; `parts` leaves them out. `planned_rows` is the
    number of rows before the first unplanned part, 0 if there is no such part.
    """

    job: Job
    parts: Mapping[PartState, int] = field(default_factory=dict)
    workable: Sequence[Part] = ()
    delivered: frozenset[str] = frozenset()
    later: int = 0
    planned_rows: int = 0

    @property
    def open_parts(self) -> int:
        """The number of parts with rows that have no outcome yet."""
        return sum(number for state, number in self.parts.items() if state is not PartState.COLLECTED)


def next_actions(view: JobView) -> Iterator[JobAction]:
    """The actions that a job allows now, most urgent first. None if it waits for a batch or for a person."""
    job = view.job
    if job.trial is Trial.TRY and job.state in {JobState.HELD, JobState.FAILED}:
        # A person waits for the try, so it ends now: that its rows cannot be asked is its result.
        yield EndTry(job.id)
        return
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
        case JobState.CHAINED:
            yield Join(job.id) if job.step_columns is None else _end_of(job)
        case JobState.DELIVERING:
            waiting = [sink for sink in job.route.sinks if sink not in view.delivered]
            yield from (Deliver(job.id, sink) for sink in waiting)
            if not waiting:
                yield Finish(job.id)
        case _:
            pass


def _part_actions(view: JobView) -> Iterator[JobAction]:
    job = view.job
    if job.duplicate_of is not None and job.redelivered_at is None and job.planned_at is None:
        yield Redeliver(job.id)
        return
    for part in view.workable:
        if part.state is PartState.ANSWERED:
            yield Collect(job.id, part.first)
        elif part.state is PartState.UNPLANNED and not job.cancelled and job.state is not JobState.HELD:
            yield Plan(job.id, part.first)
    if job.cancelled and (view.later or view.parts.get(PartState.UNPLANNED) or view.parts.get(PartState.PLANNED)):
        yield Skip(job.id)
    elif job.state is JobState.HELD and job.reason_code == USELESS:
        return  # nothing is asked or delivered until a person has seen the answers
    elif job.state is JobState.PLANNING and not job.cancelled:
        # Also if no row is left to ask: admission records that, and the prices.
        if not view.parts.get(PartState.UNPLANNED):
            yield Admit(job.id)
        elif job.early_from is not None and view.planned_rows >= job.early_from:
            yield SendEarly(job.id)
    elif not view.open_parts and not view.later:
        yield HandOn(job.id) if job.route.then is not None and job.trial is not Trial.TRY else _end_of(job)
    elif not view.open_parts and (job.state is not JobState.HELD or job.reason_code != PILOT):
        yield ShowPilot(job.id)


def _end_of(job: Job) -> JobAction:
    """Return the action that ends a job in which every row has its outcome."""
    if job.trial is Trial.TRY:
        return EndTry(job.id)
    return Close(job.id) if job.parent is None else EndStep(job.id)


def next_batch_actions(batch: Batch, now: Moment, *, create_timeout: float) -> Iterator[BatchAction]:
    """The actions that a batch allows now."""
    match batch.state:
        case BatchState.PACKED:
            yield Upload(batch.key)
        case BatchState.UPLOADED:
            yield Submit(batch.key)
        case BatchState.SUBMITTING:
            if outcome_wait(batch, now, create_timeout=create_timeout) <= 0:
                yield Find(batch.key)
        case BatchState.SUBMITTED:
            # A batch that is finalizing has all its answers and lacks only its files: it ends by itself.
            cut = batch.cut_at is not None and batch.phase is not BatchPhase.FINALIZING
            ending = not batch.wanted or batch.stopping is not None or cut
            if ending and batch.phase is not BatchPhase.CANCELLING:
                yield CancelBatch(batch.key)
            yield Poll(batch.key)
        case BatchState.ENDED:
            yield Fetch(batch.key)
        case BatchState.FETCHED:
            yield Distribute(batch.key)
        case BatchState.HELD if batch.held_for in {HeldFor.ACCOUNT, HeldFor.ANSWERS}:
            yield Recheck(batch.key)
        case _:
            pass


def outcome_wait(batch: Batch, now: Moment, *, create_timeout: float) -> float:
    """Seconds until a create call of unknown outcome can no longer take effect, so that batchd may look for the batch.

    In a trial, 24 of 147 batches were paid twice when batchd looked at once and created them again. When it looked
    after three times the timeout, none of 148 was.
    """
    if batch.intent is None:
        return 0.0
    return 3 * create_timeout - batch.intent.age(now)
