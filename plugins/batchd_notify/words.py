"""What messages say: names of files, and counts. Never what is in a file: a message leaves the house."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from batchd import Event

_DONE = {
    "JobFinished": "done",
    "JobRejected": "not usable",
    "JobFailed": "stopped",
    "JobHeld": "held",
    "JobCancelled": "cancelled",
}
"""The outcome of a file, for the subject."""


def subject(events: Sequence[Event]) -> str:
    """One line for all of them: `batchd: 28 files done, 1 held`."""
    if len(events) == 1:
        return f"batchd: {line(events[0])}"[:150]
    counts: Counter[str] = Counter()
    for event in events:
        counts[_DONE.get(event.kind, "")] += 1
    told = [f"{number:,} {word}" for word, number in counts.items() if word]
    if told:
        first, *rest = told
        number, _, word = first.partition(" ")
        told = [f"{number} {'file' if number == '1' else 'files'} {word}", *rest]
    if counts[""]:
        told.append(f"{counts['']:,} other {'message' if counts[''] == 1 else 'messages'}")
    return f"batchd: {', '.join(told)}"


def body(events: Sequence[Event]) -> str:
    """A line for each."""
    return "\n".join(f"- {line(event)}" for event in events) + "\n"


def line(event: Event) -> str:
    """What happened, without anything that was read out of a file."""
    data = event.data()
    name = str(data.get("source") or (f"Job {event.job}" if event.job else ""))
    match event.kind:
        case "JobFinished":
            return _finished(name, data)
        case "JobRejected":
            return f"{name} could not be used ({data['code']}). The note beside it in the folder rejected says why."
        case "JobFailed":
            return f"{name} has stopped. To see why: batchd status {event.job}"
        case _:
            return event.sentence


def _finished(name: str, data: Mapping[str, Any]) -> str:
    told = [f"{data['ok']:,} answered"]
    told += [f"{data[key]:,} {word}" for key, word in (("failed", "failed"), ("skipped", "not asked")) if data[key]]
    outcome = {"done": "is done", "failed": "is done, and counts as failed", "cancelled": "was cancelled"}
    return f"{name} {outcome.get(data['outcome'], 'is done')}: {', '.join(told)}. The report is {data['report']}."


def record(event: Event) -> dict[str, Any]:
    """The event for programs. The reasons of rejected and stopped jobs may quote the file, and are left out."""
    data = event.data()
    if event.kind in {"JobRejected", "JobFailed"}:
        data.pop("reason", None)
    return {
        "id": event.id,
        "at": event.at,
        "kind": event.kind,
        "severity": event.severity,
        "job": event.job,
        "batch": event.batch,
        "text": line(event),
        "data": data,
    }
