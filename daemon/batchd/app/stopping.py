"""The daemon's stop signal. Every wait of a loop ends when it is set."""

from __future__ import annotations

import asyncio
from typing import Any

from ..system.clock import Clock


class Stopping:
    """Set once, when the daemon is to end; every wait ends with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds, or until the daemon is to end."""
        await self.or_event(self._event, seconds)

    async def or_event(self, event: asyncio.Event, seconds: float | None = None) -> None:
        """Wait for the event, so many seconds at most, or until the daemon is to end."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(each.wait()) for each in (event, self._event)]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
