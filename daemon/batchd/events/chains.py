"""The events of chains: the answered rows of one route go on to another."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Event, count


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegun(Event):
    """The answered rows of a job go on to the next route of its chain. `first` is the job that took the file."""

    source: str
    first: str
    route: str
    rows: int

    @property
    def sentence(self) -> str:
        return f"{count(self.rows, 'answered row')} of {self.source} go on to the step {self.route}."


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Event):
    """A later step of a chain has an outcome for each of its rows."""

    source: str
    route: str
    ok: int
    failed: int

    @property
    def sentence(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"The step {self.route} of {self.source} is over: {self.ok:,} ok{failed}."
