"""Sends committed events to the log and the observers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from ..events import Event
from ..store.errors import StoreUnavailable
from ..store.tables.observers import Observers
from ..system.clock import Clock
from ..system.event_logger import EventLogger
from .listener import ConfiguredObserver as ConfiguredObserver
from .listener import Listener

logger = logging.getLogger("batchd")

RELOAD_GRACE = 30.0
"""Seconds that an observer has for the event under way when another takes its place."""
STOP_GRACE = 2.0
"""Seconds that observers have for committed events when the daemon stops. They get the rest after the next start."""


class ObserverFeed:
    """Gets every committed event. Each observer has a listener, which reads the database.

    Events for a slow observer wait in the database, not in memory.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store: Observers | None = None
        self._listeners: dict[str, Listener] = {}
        self._ending: dict[asyncio.Task[None], Listener] = {}
        self._naming: set[asyncio.Task[None]] = set()
        self._log = EventLogger(logger)

    @property
    def observers(self) -> Mapping[str, ConfiguredObserver]:
        """The observers that get events."""
        return {name: listener.observer for name, listener in self._listeners.items()}

    async def start(self, store: Observers, observers: Mapping[str, ConfiguredObserver]) -> None:
        """Start sending events to these, each from its cursor; a new one gets events from now on."""
        self._store = store
        await self.change(observers)

    async def change(self, observers: Mapping[str, ConfiguredObserver]) -> None:
        """Send events to these from now on. An observer that is the same object as before is not disturbed.

        An observer that takes the place of another continues after the last event that the other has heard.
        """
        # End old listeners before the new filters are stored: their cursors must not pass what only new ones want.
        ending = {
            name: self._follow(listener, listener.end(RELOAD_GRACE))
            for name, listener in self._listeners.items()
            if observers.get(name) is not listener.observer
        }
        naming = asyncio.create_task(self._name(observers), name="store which observers there are")
        self._naming.add(naming)
        naming.add_done_callback(self._naming.discard)
        kept = {name: listener for name, listener in self._listeners.items() if name not in ending}
        fresh = {
            name: Listener(
                name, observer, self._stored, self._clock, after=[naming, *([ending[name]] if name in ending else [])]
            )
            for name, observer in observers.items()
            if name not in kept
        }
        self._listeners = kept | fresh
        # Let the write of the names get in line: all later commits come after it. Waiting for its end would make a
        # reload wait for the disk.
        await asyncio.sleep(0)

    def heard(self, event: Event) -> None:
        """An event was committed. Never fails, never waits."""
        self._log.log(event)
        for listener in self._listeners.values():
            listener.heard(event)

    async def close(self, grace: float = STOP_GRACE) -> None:
        """Give observers `grace` seconds to hear the last events, then close them."""
        for listener in self._ending.values():
            listener.hurry(grace)
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            self._follow(listener, listener.finish(grace))
        await asyncio.gather(*self._ending, *self._naming, return_exceptions=True)

    @property
    def _stored(self) -> Observers:
        assert self._store is not None, "start() comes first"
        return self._store

    async def _name(self, observers: Mapping[str, ConfiguredObserver]) -> None:
        try:
            await self._stored.name({name: observer.events for name, observer in observers.items()})
        except StoreUnavailable as error:
            text = "Which observers there are could not be stored; each tries it again by itself. %s"
            logger.warning(text, error, extra={"action": "Notice"})

    def _follow(self, listener: Listener, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._ending[task] = listener
        task.add_done_callback(self._ending.pop)
        return task
