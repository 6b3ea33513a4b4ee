"""Logs events: every step of one file, but of many files at once only how each begins and ends."""

from __future__ import annotations

import logging

from ..events import (
    BatchEnded,
    BatchSubmitted,
    Event,
    JobAccepted,
    JobDelivered,
    JobFailed,
    JobFinished,
    JobHeld,
    JobPlanned,
    JobRedelivered,
    JobRejected,
)

MAX_TOLD_IN_FULL = 5
"""Jobs under way whose steps are told at level info. With more of them, the steps are told at level debug."""

_LEVELS = logging.getLevelNamesMapping()
_STEPS = (JobAccepted, JobPlanned, JobRedelivered, JobDelivered)
_ENDS = (JobFinished, JobRejected, JobHeld, JobFailed)


class EventLogger:
    """Writes events to a log: the sentence of each, under its kind."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._under_way: set[str] = set()

    def log(self, event: Event) -> None:
        """Log the event at its level, or at debug if it is a detail."""
        if event.job is not None:
            self._under_way.add(event.job)
        level = _LEVELS[event.severity.upper()]
        if level == logging.INFO and self._is_detail(event):
            level = logging.DEBUG
        # The sentence is put together only if it is logged.
        if self._logger.isEnabledFor(level):
            extra = {"action": event.kind, "job": event.job, "batch": event.batch}
            self._logger.log(level, "%s", event.sentence, extra=extra)
        if isinstance(event, _ENDS) and event.job is not None:
            self._under_way.discard(event.job)

    def _is_detail(self, event: Event) -> bool:
        if isinstance(event, _STEPS):
            return len(self._under_way) > MAX_TOLD_IN_FULL
        # Of all batches of a job, only the first is logged: the others go the same way.
        if isinstance(event, BatchEnded):
            return not event.first and event.phase == "completed"
        return isinstance(event, BatchSubmitted) and not event.first
