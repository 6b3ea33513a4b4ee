"""What `batchd check` looks at. Each result says what is wrong and how to fix it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...calls import FindsBatches
from ...config.load import Config
from ...config.tables import ObserverTable
from ...contracts import BatchProvider, LiveProvider, Sink
from ...errors import BatchdError, ConfigError, PluginError, RejectedError
from ...file_sink import FileSink
from ...files import group_id
from ...money.price_list import PriceList
from ...plugin.catalogue import Catalogue
from ...plugin.kept_off import not_loaded
from ...plugin_base import give_state_folder
from ...secrets.known import covered
from ...secrets.references import secrets_in
from ...status.daemon import running
from ...status.formatting import count, join
from ...status.overview import refusals, sinks_needed, under_way
from ...status.room import blocked
from ...system.mounts import is_network, refuse_network
from ...values import replace
from ...workers.limits import limited
from .result import CheckResult as CheckResult
from .result import note, ok, wrong
from .routes import (
    budget_results,
    deadline_results,
    fallback_results,
    lane_results,
    models_of,
    param_results,
    price_results,
)
from .services import service_results
from .state import spool_results, state_results

CALL_MAY_TAKE = 60.0
SCARCE, NONE_LEFT = 2 * 10**9, 200 * 10**6
"""Free bytes on the state's disk. Below the first, `check` prints a note; below the second, work may soon stop."""


def read_config(path: Path) -> tuple[tuple[Config, Catalogue] | None, list[CheckResult]]:
    from ...app.load import load
    from ...config.checking.rehearsing import found as found_off

    try:
        config, catalogue = load(path, not_loaded(found_off(path)))
    except (ConfigError, PluginError) as error:
        return None, [wrong("config", line, config=True) for line in str(error).splitlines()]
    routes = join([route.name for route in config.routes])
    found = [ok("config", f"{path} is fine: {count(len(config.routes), 'route')}, {routes}.")]
    found += [note("config", warning) for warning in config.warnings]
    for each in catalogue.broken:
        if each.kept_off:
            found.append(wrong(f"plugin {each.plugin}", each.sentence, config=True))
        else:
            found.append(note("plugins", f"{each.sentence} No route needs it."))
    return (config, catalogue), found


def local_results(config: Config, catalogue: Catalogue) -> Iterator[CheckResult]:
    """Yield the results of everything that can be checked on this machine."""
    folders = config.folders
    yield from _state(folders.state, folders.spool)
    told = {each.plugin for each in catalogue.kept_off}
    for condition in blocked(folders.state, config.path, config.plugin_dir):
        if condition.subject.name not in told:
            yield wrong(str(condition.subject), condition.text)
    for needed, jobs in sinks_needed(folders.state).items():
        if needed not in config.sinks:
            ways = f"Put it back, or go on without it: batchd skip-sink {jobs[0]} {needed}"
            text = f"The configuration does not have it, and {count(len(jobs), 'job')} under way needs it. {ways}"
            yield wrong(f"sink {needed}", text)
    limits = config.spending_limits()
    held = any(limits.limits(route.provider, route.name) for route in config.routes)
    for name in ("inbox", "outbox", "archive", "rejected", *(("held",) if held else ())):
        yield from _folder(name, getattr(folders, name), folders.spool)
    if folders.inbox.is_dir() and is_network(folders.inbox):
        text = f"{folders.inbox} is on a network file system: new files are noticed within 15 s instead of at once."
        yield note("inbox", text)
    yield from budget_results(config)
    yield from fallback_results(config)
    yield from deadline_results(config)
    for route in config.routes:
        if route.rights is not None and route.rights.group is not None:
            yield group_result(f"route {route.name}", route.rights.group)
    for name, table in config.providers.items():
        made = catalogue.settings("provider", table.plugin, table.settings)
        yield from _keys(f"provider {name}", made)
        yield from service_results(config, name, catalogue)
        prices = PriceList.of(table, made, currency=config.budget.currency)
        yield from price_results(config, name, prices, time.time())
        yield from param_results(config, name, prices)
        yield from lane_results(config, name, prices)
    yield from _refused(config)
    for name, sink in config.sinks.items():
        yield from _keys(f"sink {name}", catalogue.settings("sink", sink.plugin, sink.settings))
    for name, observer in config.observers.items():
        yield from _keys(f"observer {name}", catalogue.settings("observer", observer.plugin, observer.settings))
        if catalogue.absent("observer", observer.plugin) is None:
            yield _observer(name, observer, catalogue)


def group_result(subject: str, group: str) -> CheckResult:
    try:
        number = group_id(group)
    except KeyError:
        text = f"This machine has no group “{group}”: nothing of this route can be delivered. Make it: groupadd {group}"
        return wrong(subject, text, config=True)
    if os.geteuid() != 0 and number not in {os.getegid(), *os.getgroups()}:
        text = (
            f"The user {os.geteuid()} that this runs as is not in the group “{group}”: nothing of this route can be "
            "delivered. Add the user that batchd runs as to it (usermod -aG, or SupplementaryGroups= in its unit), and "
            "start batchd again."
        )
        return wrong(subject, text, config=True)
    return ok(subject, f"Its results are given to the group “{group}”.")


def _refused(config: Config) -> Iterator[CheckResult]:
    """Yield what a daemon has recorded: the trouble of providers and observers, and routes whose jobs were refused."""
    try:
        conditions, stopped = refusals(config.folders.state)
    except BatchdError:
        return  # `_state` has reported it
    says = "The daemon says" if running(config.folders.state) is not None else "When batchd last ran, it said"
    for each in conditions:
        if each.subject.name in {**config.providers, **config.observers}:
            yield note(str(each.subject), f"{says}: {each.text}")
    for job in stopped:
        yield note(f"route {job.route}", f"{job.source} stopped, because {job.reason}")


def _keys(subject: str, settings: object) -> Iterator[CheckResult]:
    """Whether each secret of these settings can be read."""
    for secret in secrets_in(settings):
        try:
            secret.reveal()
        except RejectedError as error:
            yield wrong(subject, str(error))
        else:
            yield ok(subject, f"The key is in {secret.where}.")


def _observer(name: str, table: ObserverTable, catalogue: Catalogue) -> CheckResult:
    """Whether the observer can be created, and which events it receives."""
    try:
        catalogue.create("observer", table.plugin, table.settings)
    except BatchdError as error:
        return wrong(f"observer {name}", str(error), config=True)
    what = f"these events: {', '.join(table.events)}" if table.events else "all events"
    text = f"It receives {what}. Whether it can handle them was not checked."
    return ok(f"observer {name}", text)


async def remote_results(
    config: Config, catalogue: Catalogue, without_key: Collection[str]
) -> AsyncIterator[CheckResult]:
    """Call providers, nodes, sinks and observers. `without_key`: providers, sinks and observers to skip."""
    for name, table in config.providers.items():
        if f"provider {name}" in without_key or catalogue.absent("provider", table.plugin) is not None:
            continue
        models = models_of(config, name)
        if not models:
            yield note(f"provider {name}", "No route uses it, so it was not called.")
            continue
        well = f"It answers, and found nothing wrong with {join(models)}."
        async for result in _asked(f"provider {name}", catalogue, "provider", table, well, models):
            yield result
    async for result in _nodes(config, catalogue):
        yield result
    for name, sink in config.sinks.items():
        if f"sink {name}" in without_key or catalogue.absent("sink", sink.plugin) is not None:
            continue
        async for result in _asked(f"sink {name}", catalogue, "sink", sink, "It can be written to."):
            yield result
    for name, observer in config.observers.items():
        if f"observer {name}" in without_key or catalogue.absent("observer", observer.plugin) is not None:
            continue
        well = "It can be opened. Nothing was sent to it."
        async for result in _asked(f"observer {name}", catalogue, "observer", observer, well):
            yield result


async def _nodes(config: Config, catalogue: Catalogue) -> AsyncIterator[CheckResult]:
    """Which nodes can be used. Yields nothing if workers run on this machine."""
    if config.workers.executor == "local":
        return
    from ...app.executors import nodes_of

    subject = f"workers {config.workers.executor}"
    try:
        found = await nodes_of(config, catalogue)
    except BatchdError as error:
        yield wrong(subject, str(error))
        return
    if found.trouble:
        yield wrong(subject, found.trouble)
    for node in found.nodes:
        if node.fault:
            yield wrong(f"node {node.name}", f"batchd does not use it: {node.fault}")
    used = [node for node in found.nodes if not node.fault]
    if used:
        yield ok(subject, f"{count(len(used), 'node')} can be used: {count(found.number, 'task')} at a time.")


async def _asked(
    subject: str, catalogue: Catalogue, role: str, table: Any, well: str, *arguments: Sequence[str]
) -> AsyncIterator[CheckResult]:
    """Call the `check` of a provider or a sink, or open an observer. This is foreign code, so it may do anything.

    The plugin gets a new folder of its own: a running daemon may be using the one in the state folder.
    """
    problems: Sequence[str] = ()
    found: CheckResult | None = None
    try:
        asked = catalogue.create(role, table.plugin, table.settings)
        if role != "observer" and not _has_check(asked):
            if isinstance(asked, FileSink):
                yield ok(subject, "Its files go to the outbox.")
            else:
                yield note(subject, f"It was not checked: the plugin {table.plugin} has no check of its own.")
            await asked.aclose()
            return
        with tempfile.TemporaryDirectory() as folder:
            give_state_folder(asked, Path(folder))
            try:
                async with asyncio.timeout(CALL_MAY_TAKE):
                    with limited(CALL_MAY_TAKE):
                        if role != "sink":
                            await asked.aopen()
                        if role != "observer":
                            problems = list(await asked.check(*arguments))
                            found = await _batches(asked, table)
            finally:
                await asked.aclose()
    except BatchdError as error:
        problems = [str(error)]
    except TimeoutError:
        problems = [f"It has not answered within {CALL_MAY_TAKE:.0f} s. Check its address and whether it is running."]
    except (Exception, SystemExit) as error:  # noqa: BLE001  # of foreign code, for any reason
        problems = [f"The plugin {table.plugin} failed: {type(error).__name__}: {error}"]
    for problem in problems:
        yield wrong(subject, covered(str(problem)))
    if found is not None and not any(found.text.startswith(problem) for problem in problems):
        yield replace(found, subject=subject)
    if not problems and (found is None or found.level != "wrong"):
        yield ok(subject, well)


async def _batches(provider: object, table: Any) -> CheckResult | None:
    """Compare the provider's `mode` with whether the service has batches. None if there is nothing to report."""
    if not isinstance(provider, FindsBatches) or table.mode == "live":
        return None
    found = await provider.find_batches()
    why = covered(found.why)
    if found.there is None:
        unknown = (
            " So it is not known whether it has batches, and jobs wait until it is." if table.mode == "auto" else ""
        )
        return wrong("", f"{why}{unknown}")
    if found.there:
        return None
    if table.mode == "auto":
        return note("", f"{why} So it is asked by live calls, one a row, at live prices.")
    return wrong("", f'{why} To ask it by live calls, one a row: mode = "live".')


def _has_check(plugin: object) -> bool:
    """Whether the plugin's class has a `check` of its own, instead of the default one of its contract."""
    own = getattr(type(plugin), "check", None)
    return own not in {BatchProvider.check, LiveProvider.check, Sink.check}


def _state(state: Path, spool: Path) -> Iterator[CheckResult]:
    there = state
    while not there.exists():
        there = there.parent
    try:
        refuse_network(there)
        if state.is_dir():
            yield _writable("state", state)
        else:
            yield note("state", f"{state} is not there yet; the daemon makes it.")
        jobs = under_way(state)
        daemon = running(state)
    except BatchdError as error:
        yield wrong("state", str(error))
        return
    yield _room(there)
    if spool != state:
        yield from spool_results(state, spool)
    yield from state_results(state, spool)
    who = "no daemon is running" if daemon is None else f"a daemon is running (process {daemon.process})"
    yield ok("state", f"{count(jobs, 'job')} under way, {who}.")


def _room(folder: Path) -> CheckResult:
    free = shutil.disk_usage(folder).free
    text = f"{free / 10**9:.1f} GB are free on the disk of {folder}."
    if free < NONE_LEFT:
        return wrong("disk", f"Only {text} Make room: work stops when it is full.")
    if free < SCARCE:
        return note("disk", f"Only {text} A job needs about three times its file's size.")
    return ok("disk", text)


def _folder(name: str, folder: Path, spool: Path) -> Iterator[CheckResult]:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is not there"
        yield wrong(name, f"{folder} {what}. Mount it, or make it: mkdir -p '{folder}'")
        return
    yield _writable(name, folder)
    if spool.is_dir() and folder.stat().st_dev != spool.stat().st_dev:
        text = f"{folder} and the working files are on two file systems. Files are copied: slower, but as safe."
        yield note(name, text)


def _writable(name: str, folder: Path) -> CheckResult:
    try:
        # If the file system allows it, this file has no name, so people do not see it.
        with tempfile.TemporaryFile(dir=folder, prefix=".batchd-check-") as file:
            file.write(b"batchd")
            file.flush()
        os.listdir(folder)
    except OSError as error:
        who = f"the user {os.geteuid()} that this runs as"
        return wrong(name, f"{folder} cannot be used: {error.strerror}. Give {who} the right to use it.")
    return ok(name, f"{folder} can be read and written.")
