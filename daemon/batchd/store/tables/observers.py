"""The cursor of each observer, by its name in the configuration: the last event that it has got."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from ...domain.subjects import Subject, SubjectKind
from ...events import Event, from_record
from ...values import replace
from ..database import Database, Transaction, to_json
from .event_log import EventLog
from .table import StoreTable, change, look

KEEP_GONE = 30 * 86_400.0
"""Seconds after which batchd forgets the cursor of an observer that the configuration no longer names."""
MAX_EVENTS = 100
"""Events that are read at a time: no more of a backlog is ever in memory."""
WINDOW = 10_000
"""Events that one read looks through, in some 10 ms: it holds up all other reads."""


class Place(Struct, frozen=True):
    """Where an observer stands: it wants events after `cursor`, and those of a kind only after `wanted[kind]`.

    Of jobs' events it wants those of the routes in `routes`; None: of all.
    """

    name: str
    cursor: int
    wanted: Mapping[str, int]
    routes: Sequence[str] | None = None


class EventPage(Struct, frozen=True):
    """The next events that an observer wants. All others up to `upto` are not for it; `last` is the newest of all."""

    events: Sequence[tuple[int, Event]]
    upto: int
    last: int


class Observers(StoreTable):
    """The table `observers`, and `events` as they see it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._conditions = EventLog(database)

    @change
    def name(self, tx: Transaction, observers: Mapping[str, Collection[str]]) -> None:
        """Store which observers are configured from now on, each with the kinds of events that it wants.

        A new observer gets the events from now on. So does an old one, of a kind that it did not want before.
        """
        tx.run("forget_observers", before=tx.now - KEEP_GONE)
        tx.run("observers_are_gone", now=tx.now, names=to_json(sorted(observers)))
        for name, kinds in observers.items():
            _place(tx, name, kinds)
        for row in tx.fetch("conditions"):
            subject = Subject.parse(row["subject"])
            if subject.kind is SubjectKind.OBSERVER and subject.name not in observers:
                tx.run("clear_condition", subject=row["subject"])

    async def place(self, name: str, kinds: Collection[str], routes: Sequence[str] | None = None) -> Place:
        """Where this observer stands, which wants these kinds of events."""
        place = await self._database.write(lambda tx: _place(tx, name, kinds))
        return replace(place, routes=routes)

    @look
    def after(self, tx: Transaction, place: Place, position: int) -> EventPage:
        """The events after `position` that the observer wants, MAX_EVENTS at most."""
        [last] = tx.fetch("last_event")
        upto = min(last["id"], position + WINDOW)
        kinds = to_json(sorted(place.wanted))
        routes = None if place.routes is None else to_json(list(place.routes))
        rows = tx.fetch("events_for_observer", after=position, upto=upto, kinds=kinds, routes=routes, most=MAX_EVENTS)
        if len(rows) == MAX_EVENTS:
            upto = rows[-1]["id"]
        found = []
        for row in rows:
            if row["id"] > place.wanted[row["kind"]]:
                data = json.loads(row["data"])
                where = {"job": row["job"], "batch": row["batch"], "id": row["id"], "at": row["at"]}
                event = from_record(row["kind"], data, **where)
                found += [(row["id"], event)] if event is not None else []
        return EventPage(found, upto, last["id"])

    async def failing(self, name: str, text: str) -> None:
        """The observer fails on its events: raise a condition, where people see what keeps batchd waiting."""
        await self._conditions.raise_condition(Subject(SubjectKind.OBSERVER, name), text)

    async def well(self, name: str) -> None:
        """The observer has taken an event again: clear its condition."""
        await self._conditions.clear_condition(Subject(SubjectKind.OBSERVER, name))

    async def heard(self, name: str, cursor: int) -> bool:
        """The observer is done with all events up to `cursor`. Return whether its cursor moved: it never goes back."""
        return bool(await self._run("observer_heard", name=name, cursor=cursor))


def _place(tx: Transaction, name: str, kinds: Collection[str]) -> Place:
    rows = tx.fetch("observer", name=name)
    [last] = tx.fetch("last_event")
    before = json.loads(rows[0]["wanted"]) if rows else {}
    cursor = rows[0]["cursor"] if rows else last["id"]
    # A new observer does not want years of history, and neither does one that wants another kind of event from now on.
    place = Place(name, cursor, {kind: before.get(kind, last["id"]) for kind in sorted(kinds)})
    wanted = to_json(place.wanted)
    row = {"name": name, "cursor": place.cursor, "wanted": wanted, "gone_at": None}
    if not rows or rows[0]["wanted"] != wanted or rows[0]["gone_at"] is not None:
        tx.insert("observers", [row], otherwise="OR REPLACE")
    return place
