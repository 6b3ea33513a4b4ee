"""The events of parts of a job."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from .base import Event, count, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsReturned(Event):
    """Some rows of a part have no final answer and are asked again."""

    part: int
    rows: int
    attempt: int
    reasons: dict[str, int] = dataclasses.field(default_factory=dict)
    severity: ClassVar[str] = "debug"

    @property
    def sentence(self) -> str:
        return (
            f"{count(self.rows, 'row')} of the part from row {self.part} will be asked again "
            f"(attempt {self.attempt}): {listed(self.reasons)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSplit(Event):
    """A part was too large for the provider, or holds a row that makes its batch fail, and was split."""

    part: int
    pieces: int
    reason: str
    severity: ClassVar[str] = "debug"

    @property
    def sentence(self) -> str:
        return f"Split the part from row {self.part} into {self.pieces}: {self.reason}."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDied(Event):
    """A worker process crashed while working on a part, which is tried again, or while reading a file."""

    part: int | None = None
    times: int
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        what = "reading the file" if self.part is None else f"the part from row {self.part}"
        return f"A worker process crashed while working on {what} ({count(self.times, 'time')} so far)."
