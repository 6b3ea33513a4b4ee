"""The daemon under a service manager or in a terminal: it runs until a signal ends it."""

from __future__ import annotations

import asyncio
import logging

from ..config.load import Config
from ..plugin.catalogue import Catalogue
from ..system.systemd import Notifier
from ..workers.fork_server import start_fork_server
from .daemon import Daemon, daemon
from .for_client import page_for_client
from .loop_watch import watch_of
from .page import page_of
from .reload import reload
from .signals import ends_with_terminal, handle_signals, has_terminal
from .starting import starting
from .worker_deaths import keeping_off_what_workers_cannot_load

logger = logging.getLogger(__name__)


async def run(config: Config, catalogue: Catalogue, *, workers: int | None = None, client: str | None = None) -> int:
    """Run the daemon until a signal ends it; return the exit status. `client` is the socket of the client it is for."""
    notifier = Notifier()
    terminal = ends_with_terminal()
    if terminal:
        start_fork_server()
    with watch_of(config).watching():
        async with daemon(config, catalogue, workers=workers, notifier=notifier) as ours:
            reloads: set[asyncio.Task[None]] = set()

            def hang_up() -> None:
                # A person who closes the window means to end the daemon, and would not see that it still runs.
                if terminal and not has_terminal():
                    ours.supervisor.stop()
                    return
                notifier.reloading()
                task = asyncio.create_task(_reload(ours, notifier))
                reloads.add(task)
                task.add_done_callback(reloads.discard)

            with (
                handle_signals(ours.supervisor.stop, hang_up),
                keeping_off_what_workers_cannot_load(ours),
            ):
                for line in starting(config, catalogue):
                    logger.info("%s", line, extra={"action": "Start"})
                logger.info("Watching %s.", config.folders.inbox, extra={"action": "Start"})
                async with page_of(ours) if client is None else page_for_client(ours, client):
                    await ours.supervisor.run()
        logger.info("Stopped. What is under way goes on at the next start.", extra={"action": "Stop"})
    return 0


async def _reload(ours: Daemon, notifier: Notifier) -> None:
    try:
        await reload(ours)
    except Exception as error:  # the old one stays, whatever this is
        logger.error("The configuration was not reloaded: %s", error, extra={"action": "Reload"})
        logger.debug("where", exc_info=error)
    finally:
        # After RELOADING without READY the service manager would end the daemon.
        notifier.ready()
