"""The page of a running daemon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from ..config.load import Config
from ..config.locations import resolved
from ..config.web import Address
from ..contracts import ResultRows
from ..status.places import Places
from ..web.backend import Setting
from ..web.serving import Serving
from ..work.planning.estimate import Counted, CountTask, count
from .daemon import Daemon
from .dropping import place_of
from .estimating.estimate import Estimating
from .estimating.estimate_steps import with_steps
from .estimating.record import record
from .results import results_of

logger = logging.getLogger(__name__)


class RunningDaemon:
    def __init__(self, daemon: Daemon, web: Mapping[str, Any]) -> None:
        self._daemon = daemon
        self._web = web
        self._known: tuple[Config, Setting] | None = None

    def setting(self) -> Setting:
        config = self._daemon.config
        if self._known is None or self._known[0] is not config:
            self._known = (
                config,
                Setting(
                    places=Places.of(config.path),
                    web=config.web.model_copy(update=self._web),
                    language=config.people.reader(),
                    inbox=config.folders.inbox,
                    routes={route.name: route.match for route in config.routes},
                    providers=[*config.providers],
                ),
            )
        return self._known[1]

    def ready(self) -> bool:
        return self._daemon.supervisor.works

    def inbox_place(self, name: str, route: str) -> Path:
        config = self._daemon.config
        return config.folders.inbox / place_of(name, config.routes, route)

    async def estimate(self, file: Path, route: str) -> dict[str, Any]:
        """See Backend. A worker process reads and counts the file, so that no file can hold up the daemon."""
        daemon, loop = self._daemon, asyncio.get_running_loop()

        def in_a_worker(task: CountTask) -> Counted:
            return asyncio.run_coroutine_threadsafe(daemon.context.local.run(count, task), loop).result()

        def make() -> dict[str, Any]:
            estimating = Estimating(daemon.config, daemon.catalogue, counting=in_a_worker)
            made = estimating.of_file(file, route, (), everything=False, expected=None)
            return record(with_steps(estimating, made))

        return await asyncio.to_thread(make)

    async def results(self, job: str, since: int) -> ResultRows:
        return await results_of(self._daemon.context, job, since)

    @property
    def dropped(self) -> Callable[[], None]:
        return self._daemon.supervisor.dropped


@contextlib.asynccontextmanager
async def page_of(daemon: Daemon, web: Mapping[str, Any] | None = None) -> AsyncIterator[None]:
    """Serve the page in the `with` block, if `[web]` has an address for it. `web` overrides keys of that table."""
    web = web or {}
    table = daemon.config.web.model_copy(update=web)
    address = table.address
    if address is None:
        yield
        return
    if address.socket is not None:
        address = Address(socket=str(resolved(address.socket, daemon.config.path)))
    serving = Serving(RunningDaemon(daemon, web), address, socket_mode=table.socket_mode)
    try:
        await serving.start()
    except Exception as error:
        # Jobs matter more than the page that shows them.
        logger.error("There is no page: %s", error, extra={"action": "Web"})
        logger.debug("where", exc_info=error)
    try:
        yield
    finally:
        await serving.stop()
