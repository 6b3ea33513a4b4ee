"""The tests of an Observer."""

from __future__ import annotations

import asyncio
import types
import typing
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from .. import events
from ..contracts import Observer
from ..events import Event
from .conformance_shared import PluginConformance, ask, passes_cancellation

Question = Callable[[Observer[Any]], Awaitable[None]]

_SAMPLES: dict[Any, Any] = {str: "text", int: 3, float: 1.5, bool: True, list[str]: ["one", "two"]}
_SAMPLES[dict[str, int]] = {"no_answer": 3}


def sample_events() -> Iterator[Event]:
    """One event of every kind, with all its fields filled."""
    for kind in vars(events).values():
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event:
            yield kind(**{field.name: _sample(typing.get_type_hints(kind)[field.name]) for field in fields(kind)})


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
    """Inherit it and write `make`.

    class TestMyObserver(ObserverConformance):
        def make(self):
            return MyObserver(MyObserver.Settings())
    """

    def make(self) -> Observer[Any]:
        """A new observer."""
        raise NotImplementedError("Write make(self): it returns a new observer.")

    def test_it_can_be_told_of_every_event(self) -> None:
        """One of each kind, with and without a job."""

        async def question(observer: Observer[Any]) -> None:
            for event in (*sample_events(), events.ConditionCleared(subject="provider acme")):
                try:
                    await observer.notice(event)
                except Exception as error:
                    raise AssertionError(f"notice() raised {error!r} for the event {event!r}") from error

        self._ask(question)

    def test_it_passes_over_events_that_it_does_not_know(self) -> None:
        """Later versions have more events."""

        async def question(observer: Observer[Any]) -> None:
            try:
                await observer.notice(_SomethingNew(job="job"))
            except Exception as error:
                raise AssertionError(
                    f"notice() raised {error!r} for an event of a later version. Ignore what you do not "
                    "know; every event has a `kind`, a `sentence` and `data()`."
                ) from error

        self._ask(question)

    def test_it_can_be_told_of_many_at_a_time(self) -> None:
        """batchd does not wait for one event before it sends the next."""

        async def question(observer: Observer[Any]) -> None:
            alone = [(event, await _notified(observer, event)) for event in sample_events()]
            # Another test checks what it raises for a single event.
            good = [event for event, error in alone if error is None] * 5
            for event, error in zip(
                good, await asyncio.gather(*(_notified(observer, event) for event in good)), strict=True
            ):
                assert error is None, f"notice() raised {error!r} for {event.kind}, among other events."

        self._ask(question)

    def test_a_cancellation_passes_through(self) -> None:
        """The daemon cancels running calls when it stops."""

        async def question(observer: Observer[Any]) -> None:
            for event in sample_events():
                await passes_cancellation(observer.notice(event), "notice()")

        self._ask(question)

    def _ask(self, question: Question) -> None:
        async def asking() -> None:
            await question(self.make())

        ask(asking)


async def _notified(observer: Observer[Any], event: Event) -> Exception | None:
    try:
        await observer.notice(event)
    except Exception as error:  # noqa: BLE001  # a plugin may raise anything
        return error
    return None
