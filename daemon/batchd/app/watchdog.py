"""Tells the service manager that the daemon is ready, and that it is alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator

from ..store.errors import StoreUnavailable
from ..store.tables.event_log import EventLog
from ..system.systemd import Notifier
from .stopping import Stopping


class Watchdog:
    """Sends READY after the first look at the inbox, then signs of life while no look or database hangs."""

    def __init__(self, notifier: Notifier | None, event_log: EventLog, status: Callable[[], str]) -> None:
        self._notifier = notifier
        self._event_log = event_log
        self._status = status
        self._rests = asyncio.Event()
        """Set between two looks at the inbox: the next one may not be due for hours."""

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """A context manager around each look at the inbox. It does not matter whether the look succeeds."""
        self._rests.clear()
        try:
            yield
        finally:
            self._rests.set()

    async def report(self, stopping: Stopping) -> None:
        """Tell the service manager until the end; without one, wait for the end."""
        notifier = self._notifier
        if notifier is None:
            await stopping.wait()
            return
        await stopping.or_event(self._rests)
        notifier.ready()
        pause = (notifier.watchdog_seconds or 90.0) / 3
        while not stopping.is_set():
            await stopping.sleep(pause)
            # A look that hangs (a dead network share) or a database that does not answer must end in a restart.
            await stopping.or_event(self._rests)
            with contextlib.suppress(StoreUnavailable):
                await self._event_log.beat(os.getpid())
                notifier.alive()
                notifier.status(self._status())
        notifier.stopping()
