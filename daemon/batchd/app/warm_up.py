"""Starts worker processes before there is work for them."""

from __future__ import annotations

import asyncio
import logging

from ..domain.routing import PluginSpec
from ..engine.context import Context
from ..workers.worker_plugins import load_plugins

logger = logging.getLogger(__name__)


async def start_workers(context: Context) -> None:
    """Let all workers start and load their plugins."""
    plugins = context.configured.spec_here(PluginSpec(""))
    starting = [
        executor.run(load_plugins, plugins)
        for executor in {context.executor, context.local}
        for _ in range(executor.number)
    ]
    for outcome in await asyncio.gather(*starting, return_exceptions=True):
        if isinstance(outcome, Exception):
            logger.debug("A worker did not start: %s", outcome, extra={"action": "Start"})
