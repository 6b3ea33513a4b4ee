"""Keeps off a plugin that worker processes cannot load although the daemon could, by a reload."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator

from ..plugin.kept_off import KeptOff, keep_off, kept_off, state_of, stored
from ..workers.local import Workers
from .daemon import Daemon
from .reload import reload

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def keeping_off_what_workers_cannot_load(daemon: Daemon) -> Iterator[None]:
    """Keep such plugins off inside the `with` block. To be entered on the loop."""
    reloads: set[asyncio.Task[None]] = set()

    def note(plugin: str, what: str) -> None:
        config = daemon.config
        state, configuration = config.folders.state, state_of(config.path, config.plugin_dir)
        if any(each.plugin == plugin for each in kept_off(state, configuration)):
            return  # another worker met it too
        kept = KeptOff(plugin, "", 0, what, config.plugins.may_block, time.time(), configuration, what)
        try:
            keep_off(state, [*stored(state), kept])
        except OSError:
            return  # a worker meets it again, and it is stored once there is room
        logger.error("%s", kept.sentence, extra={"action": "Watch"})
        task = asyncio.create_task(reload(daemon), name="keep off a plugin")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    workers = [each for each in (daemon.context.executor, daemon.context.local) if isinstance(each, Workers)]
    for each in workers:
        each.on_not_loaded = note
    try:
        yield
    finally:
        for each in workers:
            each.on_not_loaded = None
        for task in reloads:
            task.cancel()
