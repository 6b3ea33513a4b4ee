"""The configuration: one TOML file, checked as a whole and against the plugins before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from ..contracts import BatchProvider, LiveProvider
from ..domain.routing import Route
from ..domain.words import Keys
from ..money.budget import SpendingLimits
from ..plugin.catalogue import Catalogue, Role
from ..plugin.validation import check
from . import toml as toml_text
from .chains import chained
from .checking.checks import (
    check_ceilings,
    check_currencies,
    check_deadlines,
    check_disabled,
    check_events,
    check_files,
    check_folders,
    check_reach,
    check_services,
)
from .locations import resolved
from .people import PeopleTable
from .plugin_tables import PluginTables
from .problems import Problems
from .provider_table import PROVIDER_KEYS, ProviderTable
from .routes import read_route
from .tables import (
    OBSERVER_KEYS,
    ROUTE_NAME,
    SINK_KEYS,
    WORKERS_KEYS,
    BudgetTable,
    FolderNames,
    Intake,
    ObserverTable,
    PluginsTable,
    RetentionTable,
    ReuseTable,
    RouteBudgetTable,
    SinkTable,
    Table,
    Text,
    WorkersTable,
)
from .toml import Document
from .web import WebTable, check_web

TableT = TypeVar("TableT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Absolute paths of the folders: those that people see, the state folder, and that of the working files."""

    inbox: Path
    outbox: Path
    archive: Path
    rejected: Path
    held: Path
    state: Path
    spool: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that was checked.

    `routes` are in the order of the file, in which batchd tries them; `route_budgets` those of the routes that have
    one. `sinks` has every sink that a route names: a
    table or a built-in kind. `warnings` are sentences for the operator.
    """

    path: Path
    folders: Folders
    intake: Intake
    budget: BudgetTable
    reuse: ReuseTable
    retention: RetentionTable
    workers: WorkersTable
    providers: Mapping[str, ProviderTable]
    routes: tuple[Route, ...]
    route_budgets: Mapping[str, RouteBudgetTable]
    sinks: Mapping[str, SinkTable]
    observers: Mapping[str, ObserverTable]
    plugins: PluginsTable
    people: PeopleTable
    web: WebTable
    plugin_dir: Path | None
    warnings: tuple[str, ...]

    def spending_limits(self) -> SpendingLimits:
        """The budget, in subunits."""
        currency = self.budget.currency
        return SpendingLimits(
            currency=currency,
            overall=self.budget.ceilings(currency),
            providers={name: table.budget.ceilings(currency) for name, table in self.providers.items() if table.budget},
            routes={name: table.ceilings(currency) for name, table in self.route_budgets.items()},
            beyond=self.budget.beyond,
        )


def load(path: Path, catalogue: Catalogue) -> Config:
    """Read and check the config. Raises ConfigError with a line for each fault.

    Raises PluginError instead if the only faults are broken plugins that it needs.
    """
    return check_document(toml_text.read(path), catalogue)


def check_document(document: Document, catalogue: Catalogue) -> Config:
    """As `load`, for a text that may not be in the file yet."""
    return _Reading(document, catalogue).config()


class RootTable(Table):
    plugin_dir: Text | None = None
    folders: dict[str, Any] = Field(default_factory=dict)
    intake: dict[str, Any] = Field(default_factory=dict)
    budget: dict[str, Any] = Field(default_factory=dict)
    reuse: dict[str, Any] = Field(default_factory=dict)
    retention: dict[str, Any] = Field(default_factory=dict)
    workers: dict[str, Any] = Field(default_factory=dict)
    providers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sinks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    observers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    commands: dict[str, dict[str, Any]] = Field(default_factory=dict)
    plugins: dict[str, Any] = Field(default_factory=dict)
    people: dict[str, Any] = Field(default_factory=dict)
    web: dict[str, Any] = Field(default_factory=dict)


class _Reading:
    """The check of one document. Each step adds its problems and goes on, so that all are reported together."""

    def __init__(self, document: Document, catalogue: Catalogue) -> None:
        self._document = document
        self._catalogue = catalogue
        self._problems = Problems(document)
        self._plugins = PluginTables(catalogue, self._problems)

    def config(self) -> Config:
        path, problems = self._document.path.absolute(), self._problems
        root, faults = check(RootTable, self._document.data)
        problems.add_faults((), faults)
        names = self._table(FolderNames, ("folders",), self._section("folders"))
        intake = self._table(Intake, ("intake",), self._section("intake"))
        budget = self._table(BudgetTable, ("budget",), self._section("budget"))
        reuse = self._table(ReuseTable, ("reuse",), self._section("reuse"))
        retention = self._table(RetentionTable, ("retention",), self._section("retention"))
        people = self._table(PeopleTable, ("people",), self._section("people"))
        web = self._table(WebTable, ("web",), self._section("web"))
        workers = self._workers()
        plugins = self._table(PluginsTable, ("plugins",), self._section("plugins"))
        if plugins is not None:
            check_disabled(plugins.disabled, self._catalogue, problems)
        providers = self._providers()
        sinks = self._sinks()
        observers = self._observers()
        self._plugins.commands(self._tables("commands"))
        routes = [
            route
            for name, table in self._tables("routes")
            if (
                route := read_route(
                    name, table, providers=self._section("providers"), sinks=sinks, plugins=self._plugins
                )
            )
        ]
        routes = chained(routes, self._section("routes"), problems)
        if not self._section("routes"):
            problems.add(("routes",), "there is no route, so batchd would process no file; write a table [routes.NAME]")
        plugin_dir = resolved(root.plugin_dir, path) if root is not None and root.plugin_dir else None
        if plugin_dir is not None and not plugin_dir.is_dir():
            problems.warn(("plugin_dir",), f"there is no folder {plugin_dir}")
        if names is not None:
            folders = {name: resolved(named, path) for name, named in names if named is not None}
            if folders.get("spool") == folders["state"]:
                del folders["spool"]
            check_folders(folders, path, plugin_dir, problems)
            check_files(routes, folders, problems)
        if web is not None:
            check_web(web, folders["state"] if names is not None else None, problems)
        if budget is not None:
            check_ceilings(budget, providers, self._route_budgets(), problems)
            check_currencies(budget, providers, problems)
            check_services(budget, providers, problems)
        check_deadlines(routes, providers, self._catalogue, problems)
        check_reach(routes, problems)
        if (
            problems
            or intake is None
            or budget is None
            or reuse is None
            or retention is None
            or workers is None
            or names is None
            or people is None
            or web is None
            or plugins is None
        ):
            problems.stop()
        return Config(
            path=path,
            folders=Folders(**{"spool": folders["state"], **folders}),
            intake=intake,
            budget=budget,
            reuse=reuse,
            retention=retention,
            workers=workers,
            providers=providers,
            routes=tuple(routes),
            route_budgets=self._route_budgets(),
            sinks=sinks,
            observers=observers,
            plugins=plugins,
            people=people,
            web=web,
            plugin_dir=plugin_dir,
            warnings=problems.warnings,
        )

    def _section(self, name: str) -> Mapping[str, Any]:
        """The section as written, empty if it is not a table (which another check reports)."""
        section = self._document.data.get(name)
        return section if isinstance(section, dict) else {}

    def _tables(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """The tables of a section whose tables have names; adds a problem for each wrong name."""
        tables = [(key, table) for key, table in self._section(name).items() if isinstance(table, dict)]
        for key, _ in tables:
            if ROUTE_NAME.fullmatch(key) is None:
                self._problems.add(
                    (name, key), "is not a name: begin with a letter or digit, then letters, digits, . + - _"
                )
        return tables

    def _table(self, model: type[TableT], keys: Keys, table: Mapping[str, Any]) -> TableT | None:
        checked, faults = check(model, table)
        self._problems.add_faults(keys, faults)
        return checked

    def _workers(self) -> WorkersTable | None:
        keys: Keys = ("workers",)
        table = self._section("workers")
        common = {key: value for key, value in table.items() if key in WORKERS_KEYS}
        own = {key: value for key, value in table.items() if key not in WORKERS_KEYS}
        workers = self._table(WorkersTable, keys, {**common, "settings": own})
        kind = table.get("executor", "local")
        if self._plugins.known(Role.EXECUTOR, kind, keys, needed=True, key="executor"):
            self._plugins.settings(Role.EXECUTOR, kind, own, keys, also_known=WORKERS_KEYS)
        return workers

    def _providers(self) -> dict[str, ProviderTable]:
        used = [table.get(key) for _, table in self._tables("routes") for key in ("provider", "fallback")]
        providers: dict[str, ProviderTable] = {}
        for name, written in self._tables("providers"):
            keys: Keys = ("providers", name)
            served = self._plugins.served(written, keys, needed=name in used)
            if served is None:
                continue
            table, service = served
            common = {key: value for key, value in table.items() if key in PROVIDER_KEYS}
            own = {key: value for key, value in table.items() if key not in PROVIDER_KEYS}
            provider = self._table(
                ProviderTable, keys, {"plugin": name, **common, "settings": own, "known_service": service}
            )
            kind = table.get("plugin", name)
            if self._plugins.known(Role.PROVIDER, kind, keys, needed=name in used):
                self._plugins.settings(Role.PROVIDER, kind, own, keys, also_known=PROVIDER_KEYS)
                self._face(kind, table.get("mode"), keys)
            if provider is not None:
                providers[name] = provider
        return providers

    def _face(self, kind: str, mode: object, keys: Keys) -> None:
        """Refuse a `mode` that the provider's class cannot do."""
        factory = self._catalogue.factory(Role.PROVIDER, kind)
        contract = {"batch": BatchProvider, "live": LiveProvider}.get(str(mode))
        if isinstance(factory, type) and contract is not None and not issubclass(factory, contract):
            self._problems.add((*keys, "mode"), f'is "{mode}", which the provider "{kind}" cannot do; write "auto"')

    def _route_budgets(self) -> dict[str, RouteBudgetTable]:
        """Those that are right; what is wrong with others is found with their routes."""
        written = {name: table["budget"] for name, table in self._tables("routes") if "budget" in table}
        budgets = {name: check(RouteBudgetTable, budget)[0] for name, budget in written.items()}
        return {name: budget for name, budget in budgets.items() if budget is not None}

    def _sinks(self) -> dict[str, SinkTable]:
        routes = (table.get("sinks") for _, table in self._tables("routes"))
        used = {name for names in routes if isinstance(names, list) for name in names if isinstance(name, str)}
        sinks: dict[str, SinkTable] = {}
        for name, table in self._tables("sinks"):
            keys: Keys = ("sinks", name)
            kind = table.get("plugin", name)
            common = {key: value for key, value in table.items() if key in SINK_KEYS}
            own = {key: value for key, value in table.items() if key not in SINK_KEYS}
            sink = self._table(SinkTable, keys, {"plugin": kind, **common, "settings": own})
            if self._plugins.known(Role.SINK, kind, keys, needed=name in used):
                self._plugins.settings(Role.SINK, kind, own, keys, also_known=SINK_KEYS)
            if sink is not None:
                sinks[name] = sink
        return sinks

    def _observers(self) -> dict[str, ObserverTable]:
        observers: dict[str, ObserverTable] = {}
        for name, table in self._tables("observers"):
            keys: Keys = ("observers", name)
            kind = table.get("plugin", name)
            common = {key: value for key, value in table.items() if key in OBSERVER_KEYS}
            own = {key: value for key, value in table.items() if key not in OBSERVER_KEYS}
            observer = self._table(ObserverTable, keys, {"plugin": name, **common, "settings": own})
            if self._plugins.known(Role.OBSERVER, kind, keys, needed=True):
                self._plugins.settings(Role.OBSERVER, kind, own, keys, also_known=OBSERVER_KEYS)
            if observer is not None:
                check_events(keys, observer.events or (), self._problems)
                for number, route in enumerate(observer.routes or ()):
                    if route not in self._section("routes"):
                        self._problems.add((*keys, "routes", number), f'there is no route "{route}"')
                observers[name] = observer
        return observers
