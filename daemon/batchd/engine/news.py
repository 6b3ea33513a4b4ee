"""Telling the log and the observers what was committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ..adapters.logs import log_event
from ..contracts import Observer
from ..events import Event

logger = logging.getLogger("batchd")

BACKLOG_MOST = 10_000
"""Events that wait for a slow observer; beyond that it misses some, which is better than filling the memory."""


class News:
    """Hears of every committed event. Observers are told one after the other, each at its own pace."""

    def __init__(self, observers: Mapping[str, Observer[Any]]) -> None:
        self._queues: dict[str, asyncio.Queue[Event]] = {name: asyncio.Queue(BACKLOG_MOST) for name in observers}
        self._observers = observers
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to tell observers."""
        self._tasks = [
            asyncio.create_task(self._tell(name, observer), name=f"tell {name}")
            for name, observer in self._observers.items()
        ]

    def heard(self, event: Event) -> None:
        """An event was committed. Never fails, never waits."""
        log_event(logger, event)
        for name, queue in self._queues.items():
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                logger.warning(
                    "The observer %s is too slow; it misses %s.", name, event.kind, extra={"action": "Notice"}
                )

    async def close(self, grace: float = 2.0) -> None:
        """Give observers a moment to hear the last of it, then let go of them."""
        waits = [asyncio.create_task(queue.join()) for queue in self._queues.values()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=grace)
            for wait in late:
                wait.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self, name: str, observer: Observer[Any]) -> None:
        queue = self._queues[name]
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
