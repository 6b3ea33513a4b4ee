"""The events of rows that are asked ahead of others."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Event, count


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotApproved(Event):
    """A person has seen the answers of a pilot, and lets the other rows be asked.

    `amount` is what the job may cost in all, if the person said so; else the budget limits it.
    """

    rows: int
    amount: str | None = None
    currency: str | None = None
    where: str | None = None

    @property
    def sentence(self) -> str:
        how = f" by the file {self.where}" if self.where else ""
        most = f", up to {self.amount} {self.currency} in all" if self.amount else ""
        return f"Approved{how} after its pilot: the other {count(self.rows, 'row')} will be asked{most}."


@dataclass(frozen=True, slots=True, kw_only=True)
class TryBegun(Event):
    """A person wants to see the answers of a model to some rows of a file. Nothing of them is delivered."""

    source: str
    rows: int
    provider: str
    model: str

    @property
    def sentence(self) -> str:
        rows = count(self.rows, "row")
        return f"Asking {self.provider} ({self.model}) about {rows} of {self.source}, to see the answers."


@dataclass(frozen=True, slots=True, kw_only=True)
class TryEnded(Event):
    """Some rows of a file were asked ahead, or could not be: then `reason` says why."""

    source: str
    ok: int
    failed: int
    reason: str | None = None

    @property
    def sentence(self) -> str:
        why = f" The others were not asked: {self.reason.removesuffix('.')}." if self.reason else ""
        return f"Asked rows of {self.source}: {self.ok:,} ok, {self.failed:,} failed.{why}"
