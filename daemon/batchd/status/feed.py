"""Telling the log and the observers what was committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contracts import Observer
from ..events import Event
from ..system.event_logger import EventLogger

logger = logging.getLogger("batchd")

MAX_BACKLOG = 10_000
"""Events that wait for a slow observer; beyond that it misses some, which is better than filling the memory."""


@dataclass(frozen=True, slots=True)
class ConfiguredObserver:
    """One configured observer: the plugin's object, and the kinds of events that it hears."""

    plugin: Observer[Any]
    events: frozenset[str]


class ObserverFeed:
    """Hears of every committed event. Observers are told one after the other, each at its own pace."""

    def __init__(self, observers: Mapping[str, ConfiguredObserver]) -> None:
        self.observers = observers
        self._queues: dict[str, asyncio.Queue[Event]] = {name: asyncio.Queue(MAX_BACKLOG) for name in observers}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = EventLogger(logger)

    def start(self) -> None:
        """Begin to tell observers."""
        for name, observer in self.observers.items():
            self._begin(name, observer)

    async def change(self, observers: Mapping[str, ConfiguredObserver]) -> None:
        """Tell these from now on. One that was told before and is the same object misses nothing."""
        over = [name for name, observer in self.observers.items() if observers.get(name) is not observer]
        queues = [(self._queues.pop(name), self._tasks.pop(name)) for name in over]
        fresh = [name for name in observers if name not in self._queues]
        self._queues |= {name: asyncio.Queue(MAX_BACKLOG) for name in fresh}
        self.observers = observers
        for name in fresh:
            self._begin(name, observers[name])
        await _end(queues)

    def heard(self, event: Event) -> None:
        """An event was committed. Never fails, never waits."""
        self._log.log(event)
        for name, queue in self._queues.items():
            if event.kind not in self.observers[name].events:
                continue
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                logger.warning(
                    "The observer %s is too slow; it misses %s.", name, event.kind, extra={"action": "Notice"}
                )

    async def close(self, grace: float = 2.0) -> None:
        """Give observers a moment to hear the last of it, then let go of them."""
        await _end([(self._queues[name], task) for name, task in self._tasks.items()], grace)

    def _begin(self, name: str, observer: ConfiguredObserver) -> None:
        telling = self._tell(name, observer.plugin, self._queues[name])
        self._tasks[name] = asyncio.create_task(telling, name=f"tell {name}")

    async def _tell(self, name: str, observer: Observer[Any], queue: asyncio.Queue[Event]) -> None:
        while True:
            event = await queue.get()
            try:
                await observer.notice(event)
            except Exception as error:  # a broken observer changes nothing
                logger.warning(
                    "The observer %s failed over %s: %s", name, event.kind, error, extra={"action": "Notice"}
                )
                logger.debug("where", exc_info=error)
            finally:
                queue.task_done()


async def _end(told: Sequence[tuple[asyncio.Queue[Event], asyncio.Task[None]]], grace: float = 2.0) -> None:
    waits = [asyncio.create_task(queue.join()) for queue, _ in told]
    if waits:
        _, late = await asyncio.wait(waits, timeout=grace)
        for wait in late:
            wait.cancel()
    tasks = [task for _, task in told]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
