"""Brings the answers of many services into one form: batches, their states, ids, errors and counts.

"OpenAI-compatible" only means that the SDK does not raise. Wrapped answers, upper-case states, ids that are an empty
string, errors as a bare list: real services send each of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchd import BatchPhase, BatchStatus, Json, read_count, read_id, read_problems, read_usage

_ENVELOPES = ("job", "batch", "data", "result")
_PHASES = {phase.value: phase for phase in BatchPhase} | {
    word: phase
    for phase, words in {
        BatchPhase.VALIDATING: "validation pending queued created submitted accepted waiting scheduled starting "
        "preparing notstarted not_started",
        BatchPhase.IN_PROGRESS: "progress inprogress processing running active executing started",
        BatchPhase.FINALIZING: "finalising completing",
        BatchPhase.COMPLETED: "complete succeeded success successful done finished ended partially_completed "
        "partially_succeeded completed_with_errors",
        BatchPhase.FAILED: "failure error errored rejected",
        BatchPhase.CANCELLING: "canceling stopping aborting",
        BatchPhase.CANCELLED: "canceled stopped aborted",
        BatchPhase.EXPIRED: "timeout timed_out timeout_exceeded",
    }.items()
    for word in words.split()
}
"""The words of services for a state, without `JOB_STATE_` before them, in lower case and with underscores."""
_MAX_BATCH_TOKENS = 1 << 50

OWED = "owed"
"""Key in a batch's details: the service says that there are answers, but names no file."""


def unwrap(answer: Json) -> Mapping[str, Json]:
    """The object in an answer, without its envelopes (`{"job": {...}}`, `{"code": 0, "data": {...}}`)."""
    while isinstance(answer, Mapping):
        inner = next((answer[key] for key in _ENVELOPES if isinstance(answer.get(key), Mapping)), None)
        if inner is None:
            return answer
        answer = inner
    return {}


def phase_of(state: Json) -> BatchPhase | None:
    """The phase that a service's state stands for; None if the state is unknown."""
    word = str(state).strip().lower().replace("-", "_").replace(" ", "_")
    return _PHASES.get(word.removeprefix("job_state_").removeprefix("batch_state_"))


def status_of(batch: Mapping[str, Json]) -> BatchStatus:
    """The status in an unwrapped batch object."""
    phase = phase_of(batch.get("status"))
    details: dict[str, Json] = {
        "output_file_id": read_id(batch.get("output_file_id")),
        "error_file_id": read_id(batch.get("error_file_id")),
    }
    if phase is None:
        # An unknown state does not count as the end: polling on costs little, giving up costs the answers.
        details["unknown_status"] = str(batch.get("status"))[:100]
    total, completed, failed = _counts(batch)
    if phase is not None and phase.ended and not details["output_file_id"]:
        # These answers are paid for, or will be: asking again at once would mean paying twice.
        no_file = phase is BatchPhase.COMPLETED and not details["error_file_id"]
        details |= {OWED: True} if completed or no_file else {}
    return BatchStatus(
        phase=phase or BatchPhase.IN_PROGRESS,
        total=total,
        completed=completed,
        failed=failed,
        problems=read_problems(batch.get("errors")),
        usage=read_usage(batch.get("usage"), most=_MAX_BATCH_TOKENS),
        details=details,
    )


def _counts(batch: Mapping[str, Json]) -> tuple[int, int, int]:
    counts = batch.get("request_counts")
    if isinstance(counts, Mapping):
        return read_count(counts.get("total")), read_count(counts.get("completed")), read_count(counts.get("failed"))
    return (
        read_count(counts) or _first(batch, "total_requests", "total"),
        _first(batch, "completed_requests", "completed"),
        _first(batch, "failed_requests", "failed"),
    )


def _first(batch: Mapping[str, Json], *names: str) -> int:
    return next((number for name in names if (number := read_count(batch.get(name)))), 0)


def size_of(file: Mapping[str, Json]) -> int | None:
    """The size that a file object gives. Zero counts as unknown: services that do not count write it too."""
    return read_count(file.get("bytes")) or None


def as_list(answer: Json) -> Sequence[Mapping[str, Json]] | None:
    """The objects of a list, without envelopes: OpenAI's `data`, a bare list, or either of them wrapped."""
    while isinstance(answer, Mapping):
        answer = answer.get("data", answer.get("batches"))
    if not isinstance(answer, list):
        return None
    return [unwrap(item) for item in answer if isinstance(item, Mapping)]
