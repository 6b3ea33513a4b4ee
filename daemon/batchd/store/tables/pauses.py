"""Pauses: conditions that stay until a person resumes what is paused. Each write is one step, and repeatable."""

from __future__ import annotations

import json

from msgspec import Struct

from ...domain.states import BatchState
from ...domain.subjects import EVERYTHING, Subject, SubjectKind
from ...events import SendingPaused, SendingResumed
from ..database import Transaction
from .steps import return_batch
from .table import StoreTable, change, look

_UNSENT = {BatchState.PACKED, BatchState.UPLOADED}


class Paused(Struct, frozen=True):
    """What is paused now, as `everything`, `provider NAME` or `route NAME`; `live` are its batches of live calls."""

    names: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()

    def holds(self, provider: str, route: str) -> bool:
        """Whether nothing of this route is sent to this provider."""
        return bool(self.names & {EVERYTHING, f"provider {provider}", f"route {route}"})


class Pauses(StoreTable):
    """The pauses in the table `conditions`."""

    @look
    def now(self, tx: Transaction) -> Paused:
        """What is paused."""
        names = _names(tx)
        return Paused(names, frozenset(key for key, state in _batches(tx, names) if state not in _UNSENT))

    @change
    def pause(self, tx: Transaction, what: str, who: str | None, text: str) -> bool:
        """Pause `what`, and take back what is not sent yet. Return False if it was paused already."""
        if what in _names(tx):
            return False
        tx.run("raise_condition", subject=str(Subject(SubjectKind.PAUSE, what)), text=text, since=tx.now)
        tx.record(SendingPaused(what=what, who=who))
        _take_back(tx)
        return True

    @change
    def resume(self, tx: Transaction, what: str, who: str | None) -> list[str]:
        """Resume `what`; `everything` resumes all that is paused. Return what was resumed."""
        names = sorted(_names(tx) if what == EVERYTHING else _names(tx) & {what})
        for name in names:
            tx.run("clear_condition", subject=str(Subject(SubjectKind.PAUSE, name)))
            tx.record(SendingResumed(what=name, who=who))
        return names

    async def take_back(self) -> None:
        """Take back what is not sent yet: a batch may have been packed at the moment of the order."""
        await self._database.write(_take_back)


def _names(tx: Transaction) -> frozenset[str]:
    subjects = [Subject.parse(row["subject"]) for row in tx.fetch("conditions")]
    return frozenset(each.name for each in subjects if each.kind is SubjectKind.PAUSE)


def _batches(tx: Transaction, names: frozenset[str]) -> list[tuple[str, str]]:
    """The keys and states of batches that hold a row of what is paused: those not sent, and those of live calls."""
    if not names:
        return []
    values = {"everything": EVERYTHING in names, "names": json.dumps(sorted(names))}
    return [(row["key"], row["state"]) for row in tx.fetch("paused_batches", **values)]


def _take_back(tx: Transaction) -> None:
    """Take back unsent batches with paused rows. Their parts wait; those that are not paused, for other batches."""
    for key, state in _batches(tx, _names(tx)):
        if state in _UNSENT:
            return_batch(tx, key, state, "a person has paused the sending")
