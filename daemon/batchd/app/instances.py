"""The providers, sinks and observers of a configuration: made from plugins, and closed together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from ..calls import FindsBatches
from ..config.load import Config
from ..config.provider_table import ProviderTable
from ..contracts import BatchProvider, LiveProvider, Sink
from ..domain.routing import PluginSpec
from ..domain.subjects import Subject, SubjectKind
from ..engine.context import Configured, ConfiguredProvider
from ..file_sink import FileSink
from ..live.lanes import Lanes, LiveTerms
from ..live.provider import LiveBatchProvider
from ..money.lanes import Lane
from ..money.price_list import PriceList
from ..plugin.absent import AnySettings
from ..plugin.background import Background
from ..plugin.blame import never_exiting
from ..plugin.catalogue import Catalogue
from ..plugin.kept_off import kept_off, state_of
from ..plugin_base import Plugin, give_state_folder, state_folder_of
from ..secrets.references import secrets_in
from ..sending.limit_headers import USUAL
from ..status.feed import ConfiguredObserver
from ..system.threads import threads_of

logger = logging.getLogger(__name__)

CLOSE_MAY_TAKE = 5.0
"""Seconds that a provider or sink has to close, and that closing waits for providers that are still preparing."""


class Instances(Struct, frozen=True):
    """The configured providers and sinks, as the engine wants them."""

    providers: Mapping[str, ConfiguredProvider]
    sinks: Mapping[str, Sink[Any]]
    file_sinks: Mapping[str, PluginSpec]
    kept_off: Mapping[Subject, str]
    lanes: Lanes
    state: Path
    background: Background = field(default_factory=Background)

    @classmethod
    def of(cls, config: Config, catalogue: Catalogue, lanes: Lanes) -> Instances:
        """Make them, and open nothing yet. Raise ConfigError or PluginError if one of them cannot be made."""
        off = _of_plugins_off(config, catalogue)
        sinks = {
            name: _made(catalogue, "sink", table.plugin, table.settings, off.get(Subject.sink(name)))
            for name, table in config.sinks.items()
        }
        file_sinks = {
            name: PluginSpec(config.sinks[name].plugin, config.sinks[name].settings)
            for name, sink in sinks.items()
            if isinstance(sink, FileSink)
        }
        providers = _configured_providers(config, catalogue, lanes, off)
        kept_off = dict(off)
        made = cls(providers, sinks, file_sinks, kept_off, lanes, config.folders.state)
        for subject, plugin in made._plugins():
            _give_folder(plugin, config.folders.state, subject)
            # A plugin may not pass its settings to the base class.
            secrets = secrets_in(getattr(plugin, "settings", None))
            unset = next((why for secret in secrets if (why := secret.unset)), None)
            if unset is not None:
                kept_off.setdefault(subject, f"{unset} Jobs wait; nothing is lost.")
        return made

    def configured(self, config: Config, catalogue: Catalogue, *, generation: int = 0) -> Configured:
        """Return the engine's configuration with these objects, and let the providers begin to prepare."""
        people = config.people
        self.lanes.use(
            {
                name: (provider.live.provider, _live_terms(config.providers[name]))
                for name, provider in self.providers.items()
                if isinstance(provider.live, LiveBatchProvider)
            }
        )
        opening = {
            name: asyncio.create_task(_open(provider))
            for name, provider in self.providers.items()
            if Subject.provider(name) not in self.kept_off
        }
        for subject, plugin in self._plugins():
            if subject not in self.kept_off:
                after = opening.get(subject.name) if subject == Subject.provider(subject.name) else None
                self.background.start(str(subject), plugin, after=after)
        return Configured(
            providers=self.providers,
            sinks=self.sinks,
            routes=config.routes,
            file_sinks=self.file_sinks,
            opening=opening,
            kept_off=self.kept_off,
            absent=_absent(config, catalogue),
            not_loaded=tuple(each.plugin for each in catalogue.kept_off),
            plugin_dir=str(config.plugin_dir) if config.plugin_dir else None,
            disabled=frozenset({*config.plugins.disabled, *(each.plugin for each in catalogue.kept_off)}),
            suffixes=frozenset(catalogue.table_suffixes()),
            ignore=tuple(config.intake.ignore),
            publish_timeouts={name: table.publish_timeout for name, table in config.sinks.items()},
            budget=config.spending_limits(),
            approve_in_folder=config.budget.approve_in_folder,
            page_for=people.reader() if people.html_report else None,
            waiting_in=people.reader() if people.waiting_notes else None,
            people=people.reader(),
            reuse_bytes=config.reuse.max_bytes,
            retention={name: kept for name, kept in config.retention if kept is not None},
            generation=generation,
        )

    async def aclose(self) -> None:
        """Close them all. If one fails, the log names it and the others are closed all the same."""
        await self.background.close()
        open_ones: dict[Subject, BatchProvider[Any] | Sink[Any]] = {
            **{Subject.provider(name): provider.plugin for name, provider in self.providers.items()},
            **{Subject.sink(name): sink for name, sink in self.sinks.items()},
        }
        for subject, each in open_ones.items():
            if subject in self.kept_off:
                continue
            name = str(subject)
            try:
                async with asyncio.timeout(CLOSE_MAY_TAKE):
                    with threads_of(name):
                        await each.aclose()
            except (Exception, SystemExit) as error:  # foreign code, so it may raise anything
                logger.warning("The %s failed while it was closed: %s", name, error, extra={"action": "Close"})
                logger.debug("where", exc_info=error)

    def _plugins(self) -> Iterator[tuple[Subject, Plugin[Any]]]:
        for name, provider in self.providers.items():
            live = provider.live
            yield Subject.provider(name), live.provider if isinstance(live, LiveBatchProvider) else provider.plugin
        for name, sink in self.sinks.items():
            yield Subject.sink(name), sink


def _give_folder(plugin: Plugin[Any], state: Path, subject: Subject) -> None:
    give_state_folder(plugin, state_folder_of(state, subject.kind.value.strip(), subject.name))


async def _open(provider: ConfiguredProvider) -> None:
    with threads_of(f"provider {provider.name}"), never_exiting():
        only_live = provider.mode is Lane.LIVE and provider.live is not None
        await (provider.live if only_live and provider.live is not None else provider.plugin).aopen()


async def opened(opening: Iterable[asyncio.Task[None]]) -> None:
    """Wait a moment for providers that are still preparing. None of them may keep the daemon from ending."""
    tasks = list(opening)
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_MAY_TAKE)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def plugins_off(config: Config) -> Mapping[str, str]:
    configuration = state_of(config.path, config.plugin_dir)
    return {each.plugin: each.sentence for each in kept_off(config.folders.state, configuration)}


def _of_plugins_off(config: Config, catalogue: Catalogue) -> Mapping[Subject, str]:
    off = plugins_off(config)
    tables = {
        **{Subject.provider(name): ("provider", table.plugin) for name, table in config.providers.items()},
        **{Subject.sink(name): ("sink", table.plugin) for name, table in config.sinks.items()},
    }
    found = {}
    for subject, wanted in tables.items():
        offer = catalogue.find(*wanted)
        why = off.get(offer.plugin) if offer is not None else catalogue.absent(*wanted)
        if why is not None:
            found[subject] = why
    return found


def _absent(config: Config, catalogue: Catalogue) -> Mapping[str, str]:
    """The prompts and readers of routes whose plugins were not loaded, each with what happened."""
    wanted = {("prompt_builder", route.prompt.kind) for route in config.routes}
    wanted |= {("reader", route.reader.kind) for route in config.routes if route.reader is not None}
    found = {kind: catalogue.absent(role, kind) for role, kind in wanted if kind}
    return {kind: why for kind, why in found.items() if why is not None}


def _made(catalogue: Catalogue, role: str, kind: str, settings: Mapping[str, Any], off: str | None) -> Any:
    """Return a new object of the kind, or a stand-in if its plugin is `off`: code of that plugin is not run."""
    if off is None:
        return catalogue.create(role, kind, settings)
    return catalogue.stand_in(role, kind, off).factory(AnySettings.model_validate(settings))


def _mode(table: ProviderTable, plugin: object) -> Lane | None:
    """The lane of the provider; None if batchd has to find out whether it has batches."""
    if not isinstance(plugin, BatchProvider) or table.mode == "live":
        return Lane.LIVE
    both = isinstance(plugin, LiveProvider) and isinstance(plugin, FindsBatches)
    return None if both and table.mode == "auto" else Lane.BATCH


def _live_terms(table: ProviderTable) -> LiveTerms:
    headers = USUAL if table.limit_headers is None else {key.lower(): what for key, what in table.limit_headers.items()}
    return LiveTerms(table.rpm, table.tpm, table.calls_at_once, table.answer_timeout, headers)


def _configured_providers(
    config: Config, catalogue: Catalogue, lanes: Lanes, off: Mapping[Subject, str]
) -> dict[str, ConfiguredProvider]:
    """The configured providers that routes need, and those that jobs under way may still need."""
    providers = {}
    for name, table in config.providers.items():
        plugin = _made(catalogue, "provider", table.plugin, table.settings, off.get(Subject.provider(name)))
        live = LiveBatchProvider(name, plugin, lanes) if isinstance(plugin, LiveProvider) else None
        provider: BatchProvider[Any] = plugin if live is None or isinstance(plugin, BatchProvider) else live
        providers[name] = ConfiguredProvider(
            name=name,
            plugin=provider,
            limits=table.packing(provider.limits),
            poll=table.poll,
            create_timeout=table.create_timeout,
            call_timeout=table.call_timeout,
            linger=table.linger,
            prices=PriceList.of(table, provider.settings, currency=config.budget.currency),
            live=live,
            mode=_mode(table, plugin),
            rpm=table.rpm,
        )
    return providers


def make_observers(
    config: Config, catalogue: Catalogue, before: Config | None, running: Mapping[str, ConfiguredObserver]
) -> dict[str, ConfiguredObserver]:
    """Return the configured observers. Raise PluginError if one of them cannot be made.

    A reload keeps an observer if its table has not changed and its code cannot have: that of an installed plugin does
    not change while the daemon runs.
    """
    observers = {}
    off = plugins_off(config)
    for name, table in config.observers.items():
        offer = catalogue.find("observer", table.plugin)
        if (offer.plugin in off) if offer is not None else catalogue.absent("observer", table.plugin) is not None:
            continue
        same = before is not None and name in running and before.observers.get(name) == table
        if same and offer is not None and offer.distribution:
            observers[name] = running[name]
        else:
            plugin = catalogue.create("observer", table.plugin, table.settings)
            _give_folder(plugin, config.folders.state, Subject(SubjectKind.OBSERVER, name))
            observers[name] = ConfiguredObserver(
                plugin, table.kinds(), tuple(table.routes) if table.routes is not None else None
            )
    return observers
