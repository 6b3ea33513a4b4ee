"""Builds a daemon from a configuration, and closes it in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from ..config.load import Config
from ..engine.context import Context, TimeLimits
from ..engine.looks.inbox_look import InboxLook
from ..engine.scheduler import Engine
from ..intake.watcher import Watcher
from ..live.lanes import Lanes
from ..plugin.catalogue import Catalogue
from ..status.feed import ObserverFeed
from ..status.soundness import unknown_folders
from ..store.database import Database
from ..store.spool import Spool
from ..store.store import Store
from ..system.clock import Clock
from ..system.mounts import is_network, refuse_network
from ..system.systemd import Notifier
from ..system.threads import ThreadPools
from .backups.restore import refuse_half_restored
from .executors import executors
from .folders import existing, people_folders
from .instances import Instances, make_observers, opened
from .supervisor import Supervisor

logger = logging.getLogger(__name__)

RESCAN_ON_NETWORK = 15.0
"""Seconds between looks at an inbox on a network file system, where each one costs the server work."""


@dataclass(slots=True)
class Daemon:
    config: Config
    context: Context
    engine: Engine
    supervisor: Supervisor
    catalogue: Catalogue
    feed: ObserverFeed
    _instances: Instances
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def lanes(self) -> Lanes:
        """The live calls, which go on across reloads."""
        return self._instances.lanes

    def configure(self, config: Config, catalogue: Catalogue, instances: Instances) -> None:
        """Use this configuration from now on. One assignment puts all of it in force.

        The providers and sinks of the last configuration are closed once no action under way uses them.
        """
        last, last_instances = self.context.configured, self._instances
        last_calls = last_instances.lanes.calls()

        async def close() -> None:
            await opened(last.opening.values())
            await self.supervisor.caught_up()
            await last_instances.lanes.let_go(last_calls)
            await last_instances.aclose()

        if config.plugin_dir or self.config.plugin_dir:
            # Files of the folder that the executors have loaded may have changed.
            for executor in {self.context.executor, self.context.local}:
                executor.renew()
        self.context.configured = instances.configured(config, catalogue, generation=last.generation + 1)
        self.context.pieces.clear()
        self.context.hung.clear()
        self.config, self.catalogue, self._instances = config, catalogue, instances
        self.engine.retry_clock.reset()
        self.supervisor.wake()
        closing = asyncio.create_task(close(), name="close what was reloaded")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all providers and sinks. To be called once no action is under way."""
        await self._instances.lanes.stop()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._instances.aclose()


@asynccontextmanager
async def daemon(
    config: Config,
    catalogue: Catalogue,
    *,
    workers: int | None = None,
    watch: bool = True,
    notifier: Notifier | None = None,
    only: frozenset[str] | None = None,
) -> AsyncIterator[Daemon]:
    """Open everything that a daemon needs, in order, and close it in the reverse order.

    With `only`, the daemon works on these jobs, and leaves all others, and their orders, to the next daemon.

    Raises StateLocked if another daemon uses the state folder, StateUnusable if that folder cannot be used.
    """
    clock = Clock()
    asyncio.get_running_loop().set_default_executor(ThreadPools())
    async with AsyncExitStack() as leaving:
        refuse_network(existing(config.folders.state))
        spool = Spool(config.folders.state, config.folders.spool)
        leaving.enter_context(spool.locked())
        refuse_half_restored(config.folders.state)
        observers = make_observers(config, catalogue, None, {})
        feed = ObserverFeed(clock)
        database = await Database.open(spool.database, now=clock.now, on_event=feed.heard)
        store = Store(database)
        await asyncio.to_thread(_warn_of_unknown, spool)
        leaving.push_async_callback(store.close)
        leaving.push_async_callback(feed.close)
        await feed.start(store.observers, observers)
        executor, local = await leaving.enter_async_context(executors(config, catalogue, number=workers))
        lanes = Lanes(spool, clock)
        instances = Instances.of(config, catalogue, lanes)
        context = Context(
            store=store,
            spool=spool,
            executor=executor,
            local=local,
            clock=clock,
            folders=people_folders(config),
            configured=instances.configured(config, catalogue),
            duplicates=config.intake.duplicates,
            keep=config.intake.keep_finished,
            time_limits=TimeLimits(config.workers.row_timeout, config.workers.read_timeout),
            only=only,
        )
        engine = Engine(context, workers=executor.number)
        supervisor = _supervisor(config, context, engine, watch=watch, notifier=notifier)
        settling = asyncio.create_task(_settle(context.configured.opening), name="settle")
        ours = Daemon(config, context, engine, supervisor, catalogue, feed, instances)
        try:
            yield ours
        finally:
            await opened(context.configured.opening.values())
            await asyncio.gather(settling, return_exceptions=True)
            await ours.close()


def _warn_of_unknown(spool: Spool) -> None:
    """Warn if the database was lost, or is an old copy: the jobs that it does not know may be paid for."""
    folders = unknown_folders(spool.state, spool.root)
    if folders:
        logger.warning(
            "%d folders in %s belong to no job that the database knows: it was lost or is old. See: batchd check",
            len(folders),
            spool.root / "jobs",
            extra={"action": "Start"},
        )


async def _settle(opening: Mapping[str, asyncio.Task[None]]) -> None:
    """Once the providers are open and all is imported, exempt the objects so far from the search for cycles.

    A hundred thousand of them stay. To search them would hold up the event loop for some 60 ms each time.
    """
    await asyncio.gather(*opening.values(), return_exceptions=True)
    gc.freeze()
    gc.set_threshold(50_000)


def _supervisor(
    config: Config, context: Context, engine: Engine, *, watch: bool, notifier: Notifier | None
) -> Supervisor:
    inbox = config.folders.inbox

    def rescan() -> float:
        # At each look, since a share may be mounted over the folder while the daemon runs.
        with contextlib.suppress(OSError):
            if is_network(inbox):
                return max(RESCAN_ON_NETWORK, config.intake.rescan)
        return config.intake.rescan

    supervisor = Supervisor(context, engine, InboxLook(context, config.intake.settle), rescan=rescan, notifier=notifier)
    if watch:
        supervisor.watcher = Watcher(inbox, supervisor.dropped, mode=config.intake.observer)
    return supervisor
