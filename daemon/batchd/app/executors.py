"""Where workers run: the executor that the configuration names, and the one of this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from ..config.load import Config
from ..errors import BatchdError, PluginError
from ..executor import Executor, Node
from ..plugin.catalogue import Catalogue
from ..plugin.sources import what_was_raised
from ..plugin_base import give_state_folder, state_folder_of
from ..workers.local import Workers
from ..workers.nodes import ask_for

logger = logging.getLogger(__name__)


@asynccontextmanager
async def executors(
    config: Config, catalogue: Catalogue, *, number: int | None
) -> AsyncIterator[tuple[Executor[Any], Executor[Any]]]:
    """Open the configured executor and that of this machine, which may be the same. `number` overrides the table's."""
    async with _opened(config, catalogue, number=number, marking=True) as executor:
        if isinstance(executor, Workers):
            yield executor, executor
            return
        local = Workers()
        try:
            await local.aopen()
            yield executor, local
        finally:
            await local.aclose()


class FoundNodes(Struct, frozen=True):
    """The machines of an executor, how many tasks it runs at a time, and why it can run none, if so."""

    nodes: Sequence[Node]
    number: int
    trouble: str


async def nodes_of(config: Config, catalogue: Catalogue) -> FoundNodes:
    """Ask the configured executor for its machines, without a daemon."""
    async with _opened(config, catalogue) as executor:
        return FoundNodes(executor.nodes(), executor.number, executor.trouble)


async def introduce(executor: Executor[Any], config: Config, *, marking: bool = False) -> None:
    """Tell the executor what to ask machines before it uses them, by this configuration."""
    if isinstance(executor, Workers):
        return  # this machine is as it is
    disabled = frozenset(config.plugins.disabled)
    executor.hello = await asyncio.to_thread(
        ask_for, config.plugin_dir, disabled, config.folders.spool, marking=marking
    )


@asynccontextmanager
async def _opened(
    config: Config, catalogue: Catalogue, *, number: int | None = None, marking: bool = False
) -> AsyncIterator[Executor[Any]]:
    kind = config.workers.executor
    executor: Executor[Any] = catalogue.create("executor", kind, config.workers.settings)
    give_state_folder(executor, state_folder_of(config.folders.state, "executor", kind))
    executor.number = number or config.workers.number
    await introduce(executor, config, marking=marking)
    try:
        await _open(executor, kind)
        yield executor
    finally:
        try:
            await executor.aclose()
        except (Exception, SystemExit) as error:  # foreign code, so it may raise anything
            logger.warning('The executor "%s" failed to close: %s', kind, error, extra={"action": "Close"})
            logger.debug("where", exc_info=error)


async def _open(executor: Executor[Any], kind: str) -> None:
    try:
        await executor.aopen()
    except BatchdError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f'The executor "{kind}" could not be opened: {what_was_raised(error)}.') from error
    if executor.number < 1:
        raise PluginError(
            f'The executor "{kind}" breaks its contract: after aopen() its number is {executor.number}, not 1 or more.'
        )
