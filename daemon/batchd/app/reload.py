"""The configuration is read again while the daemon runs."""

from __future__ import annotations

import asyncio
import logging

from ..errors import BatchdError
from .daemon import Daemon
from .instances import Instances, make_observers
from .load import load

logger = logging.getLogger(__name__)


async def reload(daemon: Daemon) -> None:
    """Read the configuration again. If it is broken, the old one stays and the error is logged."""
    try:
        config, catalogue = await asyncio.to_thread(load, daemon.config.path)
        observers = make_observers(config, catalogue, daemon.config, daemon.feed.observers)
        instances = Instances.of(config, catalogue)
    except BatchdError as error:
        logger.error("The configuration was not reloaded; the old one stays. %s", error, extra={"action": "Reload"})
        return
    if config.folders != daemon.config.folders or config.intake != daemon.config.intake:
        logger.warning("Changes to [folders] and [intake] take effect at the next start.", extra={"action": "Reload"})
    context = daemon.context
    daemon.replace(instances)
    context.opening = instances.opening()
    context.providers, context.sinks, context.routes = instances.providers, instances.sinks, config.routes
    if config.plugin_dir or daemon.config.plugin_dir:
        # What they have loaded of the folder may be another plugin by now, or a new version of the same one.
        daemon.workers.renew()
    context.plugin_dir = str(config.plugin_dir) if config.plugin_dir else None
    await daemon.feed.change(observers)
    context.file_sinks = instances.file_sinks
    context.pieces.clear()
    context.budget = config.spending_limits()
    context.approve_in_folder = config.budget.approve_in_folder
    context.reuse_bytes = config.reuse.max_bytes
    context.suffixes = frozenset(catalogue.suffixes())
    daemon.config, daemon.catalogue = config, catalogue
    daemon.engine.retry_clock.reset()
    daemon.supervisor.wake()
    logger.info("The configuration was reloaded.", extra={"action": "Reload"})
