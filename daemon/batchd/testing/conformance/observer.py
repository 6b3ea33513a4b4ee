"""The tests of an Observer."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from ... import events
from ...contracts import Observer
from ...events import Event
from .plugin import PluginConformance, ask, explained, passes_cancellation, raised_by

_SAMPLES: dict[Any, Any] = {str: "text", int: 3, float: 1.5, bool: True, list[str]: ["one", "two"], list[int]: [4, 17]}
_SAMPLES |= {dict[str, int]: {"no_answer": 3}, dict[str, Any]: {"sink": "csv"}}


def sample_events() -> Iterator[Event]:
    """One event of every kind, with all its fields filled and its own id."""
    kinds = (each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event))
    for number, kind in enumerate(kind for kind in kinds if kind is not Event):
        hints = typing.get_type_hints(kind)
        values = {field.name: _sample(hints[field.name]) for field in fields(kind)}
        yield kind(**values | {"id": number + 1})


def _sample(hint: Any) -> Any:
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return _SAMPLES[next(kind for kind in kinds if kind is not type(None))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SomethingNew(Event):
    """An event that a later version of batchd may have."""

    @property
    def sentence(self) -> str:
        return "Something happened that no plugin knows of yet."


class ObserverConformance(PluginConformance):
    """Inherit it and write `make`, and `seen` for an observer that writes something that can be read back.

    class TestMyObserver(ObserverConformance):
        def make(self) -> MyObserver:
            return MyObserver(MyObserver.Settings(path=str(self.folder / "events.db")))

        def seen(self) -> Any:
            return read_the_whole_of(self.folder / "events.db")
    """

    def make(self) -> Observer[Any]:
        raise NotImplementedError("Write make(self): it returns a new observer.")

    def seen(self) -> Any:
        """What the observer has written; something that compares equal if it has not changed."""
        return None

    async def test_it_can_be_told_of_every_event(self, observer: Observer[Any]) -> None:
        """One of each kind, with and without a job."""
        for event in (*sample_events(), events.ConditionCleared(subject="provider acme")):
            with explained("notice() raised", f" for the event {event!r}"):
                await observer.notice(event)

    async def test_it_passes_over_events_that_it_does_not_know(self, observer: Observer[Any]) -> None:
        """Later versions have more events."""
        with explained(
            "notice() raised",
            " for an event of a later version. Ignore what you do not know; every event has a `kind`, a `sentence` and "
            "`data()`.",
        ):
            await observer.notice(_SomethingNew(job="job"))

    async def test_an_event_that_comes_again_changes_nothing(self, observer: Observer[Any]) -> None:
        """After a crash the event that was under way comes again, with the same id."""
        for event in sample_events():
            if await raised_by(observer.notice(event)) is not None:
                continue  # another test checks what it raises for a single event
            before = self.seen()
            error = await raised_by(observer.notice(event))
            assert error is None, f"notice() raised {error!r} when {event.kind} came again. Accept it a second time."
            assert self.seen() == before, (
                f"When {event.kind} came again, the observer wrote something else or wrote it twice. Use the "
                "event's `id` as the key of what you write."
            )

    def test_it_can_be_closed_without_being_opened(self) -> None:
        """batchd does so if `aopen` has failed, or if it stops before `aopen`."""

        async def asking() -> None:
            with explained("aclose() raised", " when aopen() had not been called. Close only what is open."):
                await self.make().aclose()

        ask(asking)

    async def test_a_cancellation_passes_through(self, observer: Observer[Any]) -> None:
        """The daemon cancels running calls when it stops."""
        for event in sample_events():
            await passes_cancellation(observer.notice(event), "notice()")

    async def _open(self, observer: Observer[Any]) -> None:
        await observer.aopen()
