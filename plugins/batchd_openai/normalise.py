"""Brings the answers of many services into one form: batches, their states, ids, errors and counts.

"OpenAI-compatible" only means that the SDK does not raise. Wrapped answers, upper-case states, ids that are an empty
string, errors as a bare list: real services send each of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from batchd import BatchPhase, BatchStatus, Json, Problem, read_usage

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
_MAX_MESSAGE = 2_000
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


def identifier(value: Json) -> str | None:
    """An id, or None for each way to write that there is none. No id has thousands of letters."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**64:
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_IDENTIFIER else None


def phase_of(state: Json) -> BatchPhase | None:
    """The phase that a service's state stands for; None if the state is unknown."""
    word = str(state).strip().lower().replace("-", "_").replace(" ", "_")
    return _PHASES.get(word.removeprefix("job_state_").removeprefix("batch_state_"))


def status_of(batch: Mapping[str, Json]) -> BatchStatus:
    """The status in an unwrapped batch object."""
    phase = phase_of(batch.get("status"))
    details: dict[str, Json] = {
        "output_file_id": identifier(batch.get("output_file_id")),
        "error_file_id": identifier(batch.get("error_file_id")),
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
        problems=problems_of(batch.get("errors")),
        usage=read_usage(batch.get("usage"), most=_MAX_BATCH_TOKENS),
        details=details,
    )


def problems_of(errors: Json) -> tuple[Problem, ...]:
    """The problems in `errors`: OpenAI's list object, a bare list, one error, a sentence, or nothing."""
    return tuple(_problem(error) for error in _flat(errors))


def _flat(errors: Json) -> Iterator[Json]:
    if isinstance(errors, Mapping) and "data" in errors and not errors.get("message"):
        errors = errors["data"]
    if isinstance(errors, list):
        yield from (error for error in errors if error)
    elif errors:
        yield errors


def _problem(error: Json) -> Problem:
    if not isinstance(error, Mapping):
        return Problem("error", str(error)[:_MAX_MESSAGE])
    code = error.get("code") or error.get("type") or "error"
    message = error.get("message") or error.get("msg") or error.get("detail") or code
    line = _number(error.get("line", error.get("line_number")))
    param = error.get("param")
    param = param[:100] if isinstance(param, str) and param else None
    return Problem(str(code)[:100], str(message)[:_MAX_MESSAGE], line or None, param)


def _counts(batch: Mapping[str, Json]) -> tuple[int, int, int]:
    counts = batch.get("request_counts")
    if isinstance(counts, Mapping):
        return _number(counts.get("total")), _number(counts.get("completed")), _number(counts.get("failed"))
    return (
        _number(counts) or _first(batch, "total_requests", "total"),
        _first(batch, "completed_requests", "completed"),
        _first(batch, "failed_requests", "failed"),
    )


def _first(batch: Mapping[str, Json], *names: str) -> int:
    return next((number for name in names if (number := _number(batch.get(name)))), 0)


_MAX_NUMBER = 10**15
"""What counts more is impossible, and so unknown. Sums of a thousand of these still fit into the database."""
_MAX_IDENTIFIER = 1_000


def _number(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_NUMBER:
        return 0
    return int(value)


def size_of(file: Mapping[str, Json]) -> int | None:
    """The size that a file object gives. Zero counts as unknown: services that do not count write it too."""
    return _number(file.get("bytes")) or None


def instant(value: Json) -> float:
    """A timestamp, a number or ISO 8601 text, in seconds since 1970; infinity if it is neither, or impossible."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_NUMBER:
        # Some services count in milliseconds: 100,000,000,000 seconds would be the year 5138.
        return value / 1000 if value > 1e11 else float(value)
    if isinstance(value, str) and len(value) < 100:
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            return math.inf
    return math.inf


def as_list(answer: Json) -> Sequence[Mapping[str, Json]] | None:
    """The objects of a list, without envelopes: OpenAI's `data`, a bare list, or either of them wrapped."""
    while isinstance(answer, Mapping):
        answer = answer.get("data", answer.get("batches"))
    if not isinstance(answer, list):
        return None
    return [unwrap(item) for item in answer if isinstance(item, Mapping)]
