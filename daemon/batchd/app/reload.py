"""Reads the configuration again while the daemon runs."""

from __future__ import annotations

import asyncio
import logging

from ..config.checking.rehearsing import to_keep_off
from ..errors import BatchdError
from .daemon import Daemon
from .executors import introduce
from .instances import Instances, make_observers
from .load import load

logger = logging.getLogger(__name__)


async def reload(daemon: Daemon) -> None:
    """Read the configuration again. If it is broken, the old one stays and the error is logged."""
    path = daemon.config.path
    # One at a time, or an older reading could be put in force after a newer one.
    async with daemon.reloading:
        try:
            config, catalogue = await asyncio.to_thread(lambda: load(path, to_keep_off(path)))
            observers = make_observers(config, catalogue, daemon.config, daemon.feed.observers)
            instances = Instances.of(config, catalogue, daemon.lanes)
        except BatchdError as error:
            logger.error("The configuration was not reloaded; the old one stays. %s", error, extra={"action": "Reload"})
            return
        before = daemon.config
        same = (config.folders, config.intake, config.workers) == (before.folders, before.intake, before.workers)
        if not same or config.web.listen != before.web.listen:
            logger.warning(
                "Changes to [folders], [intake], [workers] and [web] listen take effect at the next start.",
                extra={"action": "Reload"},
            )
        await introduce(daemon.context.executor, config)
        daemon.configure(config, catalogue, instances)
        await daemon.feed.change(observers)
        logger.info("The configuration was reloaded.", extra={"action": "Reload"})
