"""The story of one job: its own events, those of its batches, and the conditions that kept it waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..store.reading.records import StoredEvent
from ..store.reading.snapshot import snapshot
from .finding import job_called
from .formatting import utc


def story(state: Path, word: str) -> list[StoredEvent]:
    """The events of the one job that `word` means, in order. NotFound, in words."""
    with snapshot(state) as look:
        return look.events(job_called(look, word).id)


def severity(event: StoredEvent) -> str:
    """How much the event matters: info, warning or error."""
    return event.event.severity if event.event is not None else "info"


def record(event: StoredEvent) -> dict[str, Any]:
    """One event for `--json`."""
    return {
        "at": utc(event.at),
        "kind": event.kind,
        "job": event.job,
        "batch": event.batch,
        "severity": severity(event),
        "sentence": event.sentence,
        "data": dict(event.data),
    }
