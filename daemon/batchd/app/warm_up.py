"""Worker processes start before there is work for them."""

from __future__ import annotations

import asyncio
import logging

from ..domain.routing import PluginSpec
from ..engine.context import Context
from ..workers.worker_plugins import load_plugins

logger = logging.getLogger(__name__)


class WarmUp:
    """Lets the workers start and load their plugins, once, while the first file settles."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the workers. Only the first call does anything."""
        if self._task is None:
            self._task = asyncio.create_task(self._start(), name="start workers")

    async def end(self) -> None:
        """Wait no longer for workers to start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _start(self) -> None:
        context = self._context
        plugins = context.configured.spec_here(PluginSpec(""))
        starting = [
            executor.run(load_plugins, plugins)
            for executor in {context.executor, context.local}
            for _ in range(executor.number)
        ]
        for outcome in await asyncio.gather(*starting, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.debug("A worker did not start: %s", outcome, extra={"action": "Start"})
