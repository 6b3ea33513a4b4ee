"""The states of a batch, as pure functions of the stored record and the time.

A batch spends a tenth of its latency in `validating`, three quarters in `in_progress` and the rest in `finalizing`.
Only times are stored, so a sandbox that was killed continues as if it had not been.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..records import BatchRecord, Counts, Status

VALIDATING_SHARE = 0.1
IN_PROGRESS_SHARE = 0.75
FINALIZING_SHARE = 0.15
CANCELLING_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until this time; None: until the batch is cancelled."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Execute:
    """The worker executes the input file and answers this share of it."""

    share: float


@dataclass(frozen=True, slots=True)
class Become:
    """The batch enters this state."""

    status: Status


Step = Wait | Execute | Become


def planned_share(batch: BatchRecord) -> float:
    """The share of the batch that is answered unless it is cancelled."""
    if batch.fault("vanish") or batch.fault("no-files"):
        return 0.0
    for kind, default in (("expired", 0.5), ("broken", 0.5), ("cancelled", 0.5), ("stuck", 0.0)):
        if order := batch.fault(kind):
            return default if order.fraction is None else order.fraction
    return 1.0


def next_step(batch: BatchRecord, now: float) -> Step | None:
    """The next step of a batch; None if it is finished."""
    match batch.status:
        case Status.VALIDATING:
            return _validating(batch, now)
        case Status.IN_PROGRESS:
            return _in_progress(batch, now)
        case Status.FINALIZING if batch.fault("stuck-finalizing"):
            return Wait(None)
        case Status.FINALIZING:
            end = (batch.finalizing_at or now) + FINALIZING_SHARE * batch.latency
            return Wait(end) if now < end else Become(Status.COMPLETED)
        case Status.CANCELLING:
            return _cancelling(batch, now)
        case _:
            return None


def _validating(batch: BatchRecord, now: float) -> Step:
    if now < batch.created_at:
        return Wait(batch.created_at)
    if batch.outcome is None:
        return Execute(planned_share(batch))
    end = batch.created_at + VALIDATING_SHARE * batch.latency
    if now < end:
        return Wait(end)
    return Become(Status.FAILED if batch.outcome.errors else Status.IN_PROGRESS)


def _in_progress(batch: BatchRecord, now: float) -> Step:
    if batch.fault("stuck") or batch.fault("vanish"):
        return Wait(None)
    end = (batch.in_progress_at or now) + IN_PROGRESS_SHARE * batch.latency
    if now < end:
        return Wait(end)
    if batch.fault("expired"):
        return Become(Status.EXPIRED)
    if batch.fault("broken"):
        return Become(Status.FAILED)
    return Become(Status.CANCELLING if batch.fault("cancelled") else Status.FINALIZING)


def _cancelling(batch: BatchRecord, now: float) -> Step:
    answered = batch.answered or 0.0
    # The prepared output has more answers than there were at the cancellation.
    if batch.outcome is not None and not batch.outcome.errors and batch.outcome.share != answered:
        return Execute(answered)
    end = (batch.cancelling_at or now) + CANCELLING_SHARE * batch.latency
    return Wait(end) if now < end else Become(Status.CANCELLED)


def progress(batch: BatchRecord, now: float) -> float:
    """The progress of answering, 0 to 1, relative to the planned share."""
    match batch.status:
        case Status.VALIDATING:
            return 0.0
        case Status.IN_PROGRESS:
            duration = IN_PROGRESS_SHARE * batch.latency
            if duration <= 0:
                return 1.0
            return min(max((now - (batch.in_progress_at or now)) / duration, 0.0), 1.0)
        case _:
            return 1.0


def answered_share(batch: BatchRecord, now: float) -> float:
    """The share of all requests answered so far, which a cancellation keeps."""
    return progress(batch, now) * planned_share(batch)


def true_counts(batch: BatchRecord, now: float) -> Counts:
    """The real counts so far."""
    outcome = batch.outcome
    if outcome is None or outcome.errors or batch.status is Status.VALIDATING:
        return Counts()
    share = progress(batch, now)
    return Counts(outcome.total, int(outcome.completed * share), int(outcome.failed * share))


def shown_counts(batch: BatchRecord, now: float) -> Counts:
    """The counts that the API shows: the real ones, unless the fault `counts-lie` was ordered."""
    counts = true_counts(batch, now)
    if batch.fault("counts-lie") is None:
        return counts
    if counts.failed:
        return Counts(counts.total, counts.total, 0)
    return Counts()
