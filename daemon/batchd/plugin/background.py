"""Background work of plugins: it runs beside all else, begins again if it breaks, and ends with its plugin."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ..contracts import BatchProvider, LiveProvider, Observer, Sink
from ..plugin_base import Plugin
from ..secrets.known import covered
from ..sending import backoff
from ..system.clock import Clock
from ..system.threads import threads_of
from .sources import what_was_raised

logger = logging.getLogger("batchd")

ENDS_WITHIN = 5.0
"""Seconds that background work has to end once it is cancelled."""
WELL_AFTER = 600.0
"""Seconds of work after which an earlier failure is forgotten."""


def has_background(plugin: Plugin[Any]) -> bool:
    own = getattr(type(plugin), "background", None)
    return own is not None and own not in {each.background for each in (BatchProvider, LiveProvider, Observer, Sink)}


class Background:
    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, owner: str, plugin: Any, *, after: Awaitable[object] | None = None) -> None:
        """Begin the plugin's background work, if it has some, once `after` is done. `owner` is its name in messages."""
        if has_background(plugin):
            task = asyncio.create_task(self._run(owner, plugin, after), name=f"background work of the {owner}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await end(self._tasks)

    async def _run(self, owner: str, plugin: Any, after: Awaitable[object] | None) -> None:
        if after is not None:
            await asyncio.wait([asyncio.ensure_future(after)])
        failures = 0
        while True:
            began = time.monotonic()
            with threads_of(owner):
                error = await what_it_raises(plugin.background)
            if error is None:
                return
            failures = 1 if time.monotonic() - began > WELL_AFTER else failures + 1
            pause = backoff.delay(failures, jitter=self._clock.jitter())
            logger.warning(
                "The background work of the %s failed: %s. It begins again in %.0f s.",
                owner,
                covered(what_was_raised(error)),
                pause,
                extra={"action": "Background"},
            )
            logger.debug("where", exc_info=error)
            await self._clock.sleep(pause)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks, and wait a moment for their end."""
    tasks = [each for each in tasks if not each.done()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=ENDS_WITHIN)


async def what_it_raises(call: Callable[[], Awaitable[None]]) -> BaseException | None:
    """Call code of a plugin; return what it raised, if anything. Only the cancellation of this task passes through."""
    try:
        await call()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return error
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything
        return error
    return None
