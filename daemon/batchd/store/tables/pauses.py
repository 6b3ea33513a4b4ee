"""What people have paused: conditions that stay until a person resumes it. Each write is one step, and repeatable."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ...domain.states import BatchState
from ...domain.subjects import EVERYTHING, Subject, SubjectKind
from ...events import BatchReturned, SendingPaused, SendingResumed
from ..database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Paused:
    """What is paused now, as `everything`, `provider NAME` or `route NAME`; `live` are batches of live calls of it."""

    names: frozenset[str] = frozenset()
    live: frozenset[str] = field(default=frozenset())

    def holds(self, provider: str, route: str) -> bool:
        """Whether nothing of this route is sent to this provider."""
        return bool(self.names & {EVERYTHING, f"provider {provider}", f"route {route}"})


class Pauses:
    """The pauses in the table `conditions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> Paused:
        """What is paused."""

        def look(tx: Transaction) -> Paused:
            names = _names(tx)
            return Paused(
                names, frozenset(row["key"] for row in _batches(tx, names, "paused_live")) if names else names
            )

        return await self._database.read(look)

    async def pause(self, what: str, who: str | None, text: str) -> bool:
        """Pause it, and take back what is not sent yet. False if it was paused already."""

        def change(tx: Transaction) -> bool:
            if what in _names(tx):
                return False
            tx.run("raise_condition", subject=str(Subject.pause(what)), text=text, since=tx.now)
            tx.record(SendingPaused(what=what, who=who))
            _take_back(tx)
            return True

        return await self._database.write(change)

    async def resume(self, what: str, who: str | None) -> list[str]:
        """Resume it; all that is paused, if that is `everything`. Returns what was paused of it."""

        def change(tx: Transaction) -> list[str]:
            names = sorted(_names(tx) if what == EVERYTHING else _names(tx) & {what})
            for name in names:
                tx.run("clear_condition", subject=str(Subject.pause(name)))
                tx.record(SendingResumed(what=name, who=who))
            return names

        return await self._database.write(change)

    async def take_back(self) -> None:
        """Take back what is not sent yet: a batch may have been packed at the moment of the order."""
        await self._database.write(_take_back)


def _names(tx: Transaction) -> frozenset[str]:
    subjects = [Subject.parse(row["subject"]) for row in tx.fetch("conditions")]
    return frozenset(each.name for each in subjects if each.kind is SubjectKind.PAUSE)


def _batches(tx: Transaction, names: frozenset[str], query: str) -> list[dict[str, str]]:
    return [dict(row) for row in tx.fetch(query, everything=EVERYTHING in names, names=json.dumps(sorted(names)))]


def _take_back(tx: Transaction) -> None:
    """Batches that are made and not sent go back: their parts wait, those that are not paused for other batches."""
    reason = "a person has paused the sending"
    for row in _batches(tx, _names(tx), "paused_unsent"):
        if tx.update("batches", {"key": row["key"], "state": row["state"]}, state=BatchState.RETURNED, reason=reason):
            tx.run("release_batch", batch=row["key"])
            tx.run("plan_moved_parts_again", batch=row["key"])
            tx.record(BatchReturned(batch=row["key"], reason=reason))
