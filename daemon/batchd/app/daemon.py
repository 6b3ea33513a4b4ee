"""The composition root: from a configuration to a running daemon."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..config import load as configuration
from ..config import toml as toml_text
from ..config.load import Config
from ..config.locations import plugin_folder
from ..config.unbuilt import refuse_unbuilt
from ..delivery.outbox import require_all
from ..domain.records import Job, JobState
from ..engine.context import Context, PeopleFolders
from ..engine.look import Engine
from ..engine.steps.intake import Intake
from ..errors import BatchdError
from ..files import make_folder
from ..intake.watcher import Watcher
from ..plugin.catalogue import Catalogue
from ..status.feed import ObserverFeed
from ..store.database import Database
from ..store.spool import Spool
from ..store.store import Store
from ..system.clock import Clock
from ..system.mounts import is_network, refuse_network
from ..system.systemd import Notifier
from ..work.local import Workers
from .instances import Instances, make_observers
from .supervisor import Supervisor

logger = logging.getLogger(__name__)

RESCAN_ON_NETWORK = 15.0
"""Seconds between looks at an inbox on a network file system, where each one costs the server work."""


def load(path: Path) -> tuple[Config, Catalogue]:
    """The checked configuration, and the plugins it was checked against.

    From here on relative paths in a plugin's table are relative to the config file, as its folders are: the
    process, and with it its workers, moves there.
    """
    catalogue = Catalogue.load(plugin_folder(path))
    config = configuration.load(path, catalogue)
    refuse_unbuilt(toml_text.read(path))
    os.chdir(config.path.parent)
    return config, catalogue


@dataclass(slots=True)
class Daemon:
    """A daemon put together, ready to run."""

    config: Config
    context: Context
    engine: Engine
    supervisor: Supervisor
    catalogue: Catalogue
    news: ObserverFeed
    workers: Workers
    _plugged: Instances
    _retiring: set[asyncio.Task[None]] = field(default_factory=set)

    async def reload(self) -> None:
        """Read the configuration again; if it is broken, the old one stays and the error is logged."""
        try:
            config, catalogue = await asyncio.to_thread(load, self.config.path)
            observers = make_observers(catalogue, self.news.observers)
            plugged = Instances.of(config, catalogue)
        except BatchdError as error:
            logger.error("The configuration was not reloaded; the old one stays. %s", error, extra={"action": "Reload"})
            return
        if config.folders != self.config.folders or config.intake != self.config.intake:
            logger.warning(
                "Changes to [folders] and [intake] take effect at the next start.", extra={"action": "Reload"}
            )
        self._retire(plugged)
        self.context.opening = plugged.opening()
        self.context.providers, self.context.sinks, self.context.routes = (
            plugged.providers,
            plugged.sinks,
            config.routes,
        )
        if config.plugin_dir or self.config.plugin_dir:
            # What they have loaded of the folder may be another plugin by now, or the same one mended.
            self.workers.renew()
        self.context.plugin_dir = str(config.plugin_dir) if config.plugin_dir else None
        await self.news.change(observers)
        self.context.file_sinks = plugged.file_sinks
        self.context.pieces.clear()
        self.context.budget = config.spending_limits()
        self.context.approve_in_folder = config.budget.approve_in_folder
        self.context.reuse_bytes = config.reuse.max_bytes
        self.context.suffixes = frozenset(catalogue.suffixes())
        self.config, self.catalogue = config, catalogue
        self.engine.retry_clock.reset()
        self.supervisor.wake()
        logger.info("The configuration was reloaded.", extra={"action": "Reload"})

    def _retire(self, successors: Instances) -> None:
        """Close the providers and sinks in force once nothing that is under way uses them any more."""
        plugged, self._plugged = self._plugged, successors
        opening = list(self.context.opening.values())

        async def close() -> None:
            await asyncio.gather(*opening, return_exceptions=True)
            await self.supervisor.caught_up()
            await plugged.aclose()

        task = asyncio.create_task(close(), name="close what was reloaded")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """Close all providers and sinks. Nothing is under way any more."""
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._plugged.aclose()


@asynccontextmanager
async def daemon(
    config: Config,
    catalogue: Catalogue,
    *,
    clock: Clock | None = None,
    workers: int | None = None,
    watch: bool = True,
    notifier: Notifier | None = None,
) -> AsyncIterator[Daemon]:
    """Everything a daemon needs, in the order it needs it, and let go of in the reverse.

    StateLocked if another daemon owns the state folder; StateUnusable if that folder will not do.
    """
    clock = clock or Clock()
    number = workers or max(1, (os.cpu_count() or 2))
    async with AsyncExitStack() as leaving:
        refuse_network(_existing(config.folders.state))
        spool = Spool(config.folders.state)
        leaving.enter_context(spool.locked())
        news = ObserverFeed(make_observers(catalogue, {}))
        database = await Database.open(spool.database, now=clock.now, on_event=news.heard)
        store = Store(database)
        leaving.push_async_callback(store.close)
        news.start()
        leaving.push_async_callback(news.close)
        executor = Workers(number)
        leaving.callback(executor.close)
        plugged = Instances.of(config, catalogue)
        context = Context(
            store=store,
            spool=spool,
            executor=executor,
            clock=clock,
            folders=_folders(config),
            providers=plugged.providers,
            sinks=plugged.sinks,
            file_sinks=plugged.file_sinks,
            routes=config.routes,
            plugin_dir=str(config.plugin_dir) if config.plugin_dir else None,
            suffixes=frozenset(catalogue.suffixes()),
            duplicates=config.intake.duplicates,
            budget=config.spending_limits(),
            approve_in_folder=config.budget.approve_in_folder,
            reuse_bytes=config.reuse.max_bytes,
            keep=config.intake.keep_finished,
        )
        engine = Engine(context, workers=number)
        supervisor = _supervisor(config, context, engine, watch=watch, notifier=notifier)
        context.opening = plugged.opening()
        settling = asyncio.create_task(_settle(context.opening), name="settle")
        ours = Daemon(config, context, engine, supervisor, catalogue, news, executor, plugged)
        try:
            yield ours
        finally:
            await asyncio.gather(settling, *context.opening.values(), return_exceptions=True)
            await ours.close()


async def _settle(opening: Mapping[str, asyncio.Task[None]]) -> None:
    """All is imported now: a hundred thousand objects that stay, and that no look for cycles need go through again.

    Each would hold up the event loop for some 60 ms.
    """
    await asyncio.gather(*opening.values(), return_exceptions=True)
    gc.freeze()


def _supervisor(
    config: Config, context: Context, engine: Engine, *, watch: bool, notifier: Notifier | None
) -> Supervisor:
    inbox = config.folders.inbox

    def rescan() -> float:
        # Asked at each look: a share may be mounted over the folder while we run.
        with contextlib.suppress(OSError):
            if is_network(inbox):
                return max(RESCAN_ON_NETWORK, config.intake.rescan)
        return config.intake.rescan

    supervisor = Supervisor(context, engine, Intake(context, config.intake.settle), rescan=rescan, notifier=notifier)
    if watch:
        supervisor.watch_with(Watcher(inbox, supervisor.dropped, mode=config.intake.observer))
    return supervisor


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _folders(config: Config) -> PeopleFolders:
    folders = config.folders
    seen = (folders.inbox, folders.outbox, folders.archive, folders.rejected, folders.held)
    return PeopleFolders(*seen, mounted=frozenset(folder for folder in seen if os.path.ismount(folder)))


def make_folders(config: Config) -> list[Path]:
    """Make the folders that people see and the state; returns those that were not there."""
    folders = config.folders
    wanted = [folders.inbox, folders.outbox, folders.archive, folders.rejected, folders.held, folders.state]
    for route in config.routes:
        for pattern in route.match:
            name, slash, _ = pattern.partition("/")
            if slash and not any(sign in name for sign in "*?["):
                wanted.append(folders.inbox / name)
    made = [folder for folder in wanted if not folder.is_dir()]
    for folder in made:
        make_folder(folder, mode=0o700 if folder == folders.state else 0o770)
    return made


# --- the two ways to run -------------------------------------------------------------------------------------------


async def run(config: Config, catalogue: Catalogue, *, workers: int | None = None) -> int:
    """The daemon, until a signal ends it. The exit status."""
    notifier = Notifier()
    async with daemon(config, catalogue, workers=workers, notifier=notifier) as ours:
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            notifier.reloading()

            async def go() -> None:
                try:
                    await ours.reload()
                except Exception as error:  # the old one stays, whatever this is
                    logger.error("The configuration was not reloaded: %s", error, extra={"action": "Reload"})
                    logger.debug("where", exc_info=error)
                finally:
                    # RELOADING without READY would have the service manager give us up.
                    notifier.ready()

            task = asyncio.create_task(go())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        with _signals({signal.SIGHUP: reload}, stop=ours.supervisor.stop):
            logger.info("Watching %s.", config.folders.inbox, extra={"action": "Start"})
            await ours.supervisor.run()
        logger.info("Stopped. What is under way goes on at the next start.", extra={"action": "Stop"})
    return 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `once` came to: the jobs of this run, and whether it was interrupted."""

    jobs: Sequence[tuple[Job, int]]
    interrupted: bool

    @property
    def exit_status(self) -> int:
        """As the table of exit statuses says, the worst first."""
        states = {job.state for job, _ in self.jobs}
        if self.interrupted:
            return 130
        if states & {JobState.FAILED, JobState.REJECTED} or any(
            job.reason_code == "max_failed" for job, _ in self.jobs
        ):
            return 1
        if JobState.HELD in states:
            return 6
        if any(failed for _, failed in self.jobs):
            return 3
        return 0


async def once(
    config: Config, catalogue: Catalogue, *, files: Mapping[Path, str] | None = None, workers: int | None = None
) -> Outcome:
    """Take what is in the inbox, after copying these files into it (path → place in the inbox); work until idle.

    OSError, before anything is touched, if one of the folders that people see is not there: whoever calls this once
    is there to mend it. One that goes away, or fills up, while we work is waited for.
    """
    folders = config.folders
    require_all(inbox=folders.inbox, outbox=folders.outbox, archive=folders.archive, rejected=folders.rejected)
    interrupted = False
    async with daemon(config, catalogue, workers=workers, watch=False) as ours:
        waiting = await ours.context.store.event_log.orders()
        # A finished job that somebody has ordered to be asked again is work of this run.
        before = await ours.context.store.jobs.finished_ids() - {each.target for each in waiting}

        def stop() -> None:
            nonlocal interrupted
            interrupted = True
            ours.supervisor.stop()

        for file, place in (files or {}).items():
            await asyncio.to_thread(drop, file, config.folders.inbox / place)
        with _signals({}, stop=stop):
            await ours.supervisor.run_until_idle()
        jobs = []
        for job_id in sorted(await ours.context.store.jobs.ids() - before):
            job = await ours.context.store.jobs.get(job_id)
            totals = await ours.context.store.jobs.totals(job_id)
            jobs.append((job, totals.failed))
    return Outcome(jobs, interrupted)


def drop(file: Path, target: Path) -> None:
    """Copy a file into the inbox so that it is whole when it appears, under a name that is free there."""
    make_folder(target.parent, mode=0o770)
    number, place = 1, target
    while os.path.lexists(place):
        number += 1
        place = target.with_stem(f"{target.stem} ({number})")
    draft = place.with_name(f".{place.name[:200]}.part")
    shutil.copyfile(file, draft)
    draft.rename(place)


@contextlib.contextmanager
def _signals(handlers: Mapping[signal.Signals, Callable[[], None]], *, stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks, the second ends at once: a kill costs nothing but the work of a moment."""
    loop = asyncio.get_running_loop()
    asked = False

    def end(number: int) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, end, int(each))
    for each, handler in handlers.items():
        loop.add_signal_handler(each, handler)
    try:
        yield
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, *handlers):
            loop.remove_signal_handler(each)
