"""The configuration: one TOML file, checked as a whole and against the plugins before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import Field

from ..contracts import BatchProvider, LiveProvider
from ..domain.routing import PluginSpec, Route
from ..domain.words import Keys, proposal
from ..errors import ConfigError
from ..model import Limits
from ..money.budget import SpendingLimits
from ..plugin.catalogue import Catalogue, Role
from ..plugin.validation import check
from ..values import replace
from . import toml as toml_text
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
from .plugin_tables import PluginTables
from .problems import Problems
from .provider_table import ProviderTable
from .routes import chained, read_route
from .tables import (
    ROUTE_NAME,
    BudgetTable,
    FolderNames,
    Intake,
    ObserverTable,
    PeopleTable,
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

TableT = TypeVar("TableT", bound=Table)


class Folders(Struct, frozen=True, kw_only=True):
    """Absolute paths of the folders: those that people see, the state folder, and that of the working files."""

    inbox: Path
    outbox: Path
    archive: Path
    rejected: Path
    held: Path
    state: Path
    spool: Path


class Config(Struct, frozen=True, kw_only=True):
    """A configuration that was checked.

    `routes` are in the order of the file, in which batchd tries them; `route_budgets` has the budgets of the routes
    that have one. `sinks` has every sink that a route names: a table or a built-in kind. `warnings` are sentences for
    the operator.
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

    def here(self, spec: PluginSpec) -> PluginSpec:
        """Return the spec with what a worker process needs to find the plugin."""
        plugin_dir = str(self.plugin_dir) if self.plugin_dir else None
        return replace(spec, plugin_dir=plugin_dir, disabled=frozenset(self.plugins.disabled))

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


def provider_limits(config: Path, name: str, catalogue: Catalogue) -> Limits:
    """The limits of a provider, the operator's or else the plugin's, without a check of anything else."""
    document = toml_text.read(config)
    tables = document.data.get("providers")
    table = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(table, dict):
        known = proposal(name, tables if isinstance(tables, dict) else ())
        raise ConfigError(f"{config}: there is no table [providers.{name}]{known}")
    problems = Problems(document)
    served = PluginTables(catalogue, problems).served(table, ("providers", name), needed=True)
    if served is None:
        problems.stop()
    table, service = served
    common = {key: value for key, value in table.items() if key in ProviderTable.own_keys()}
    provider, faults = check(ProviderTable, {"plugin": name, **common, "known_service": service})
    problems.add_faults(("providers", name), faults)
    if provider is None or problems:
        problems.stop()
    return provider.limits(catalogue.limits_of(provider.plugin) or Limits())


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


_PLAIN: Mapping[str, type[Any]] = {
    "folders": FolderNames,
    "intake": Intake,
    "budget": BudgetTable,
    "reuse": ReuseTable,
    "retention": RetentionTable,
    "people": PeopleTable,
    "web": WebTable,
    "plugins": PluginsTable,
}
"""The sections that are one table, whose keys are all batchd's."""


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
        tables: dict[str, Any] = {}
        for name, model in _PLAIN.items():
            tables[name] = self._table(model, (name,), self._section(name))
        names: FolderNames | None = tables.pop("folders")
        budget: BudgetTable | None = tables["budget"]
        workers, _ = self._plugged(
            WorkersTable, Role.EXECUTOR, ("workers",), "local", self._section("workers"), needed=True
        )
        if (plugins := tables["plugins"]) is not None:
            check_disabled(plugins.disabled, self._catalogue, problems)
        providers = self._providers()
        sinks = self._sinks()
        observers = self._observers()
        self._plugins.commands(self._tables("commands"))
        read = [
            read_route(name, table, providers=self._section("providers"), sinks=sinks, plugins=self._plugins)
            for name, table in self._tables("routes")
        ]
        routes = chained([route for route in read if route is not None], self._section("routes"), problems)
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
        if (web := tables["web"]) is not None:
            check_web(web, folders["state"] if names is not None else None, problems)
        if budget is not None:
            check_ceilings(budget, providers, self._route_budgets(), problems)
            check_currencies(budget, providers, problems)
            check_services(budget, providers, problems)
        check_deadlines(routes, providers, self._catalogue, problems)
        check_reach(routes, problems)
        if problems or workers is None:  # a table with a fault is None
            problems.stop()
        return Config(
            path=path,
            folders=Folders(**{"spool": folders["state"], **folders}),
            workers=workers,
            providers=providers,
            routes=tuple(routes),
            route_budgets=self._route_budgets(),
            sinks=sinks,
            observers=observers,
            plugin_dir=plugin_dir,
            warnings=problems.warnings,
            **tables,
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

    def _plugged(
        self,
        model: type[TableT],
        role: Role,
        keys: Keys,
        kind: str,
        written: Mapping[str, Any],
        *,
        needed: bool,
        **more: Any,
    ) -> tuple[TableT | None, bool]:
        """Check a table with keys of a plugin in it. Return it and whether the plugin, `kind` by default, is usable."""
        key, ours = "executor" if role is Role.EXECUTOR else "plugin", model.own_keys()
        common = {name: value for name, value in written.items() if name in ours}
        own = {name: value for name, value in written.items() if name not in ours}
        table = self._table(model, keys, {key: kind, **common, "settings": own, **more})
        kind = written.get(key, kind)
        usable = self._plugins.known(role, kind, keys, needed=needed, key=key)
        if usable:
            self._plugins.settings(role, kind, own, keys, also_known=ours)
        return table, usable

    def _providers(self) -> dict[str, ProviderTable]:
        used = [table.get(key) for _, table in self._tables("routes") for key in ("provider", "fallback")]
        providers: dict[str, ProviderTable] = {}
        for name, written in self._tables("providers"):
            keys: Keys = ("providers", name)
            served = self._plugins.served(written, keys, needed=name in used)
            if served is None:
                continue
            table, service = served
            provider, usable = self._plugged(
                ProviderTable, Role.PROVIDER, keys, name, table, needed=name in used, known_service=service
            )
            if usable:
                self._face(table.get("plugin", name), table.get("mode"), keys)
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
        """The budgets without faults; faults of the others are reported with their routes."""
        written = {name: table["budget"] for name, table in self._tables("routes") if "budget" in table}
        budgets = {name: check(RouteBudgetTable, budget)[0] for name, budget in written.items()}
        return {name: budget for name, budget in budgets.items() if budget is not None}

    def _sinks(self) -> dict[str, SinkTable]:
        routes = (table.get("sinks") for _, table in self._tables("routes"))
        used = {name for names in routes if isinstance(names, list) for name in names if isinstance(name, str)}
        sinks: dict[str, SinkTable] = {}
        for name, table in self._tables("sinks"):
            sink, _ = self._plugged(SinkTable, Role.SINK, ("sinks", name), name, table, needed=name in used)
            if sink is not None:
                sinks[name] = sink
        return sinks

    def _observers(self) -> dict[str, ObserverTable]:
        observers: dict[str, ObserverTable] = {}
        for name, table in self._tables("observers"):
            keys: Keys = ("observers", name)
            observer, _ = self._plugged(ObserverTable, Role.OBSERVER, keys, name, table, needed=True)
            if observer is not None:
                check_events(keys, observer.events or (), self._problems)
                for number, route in enumerate(observer.routes or ()):
                    if route not in self._section("routes"):
                        self._problems.add((*keys, "routes", number), f'there is no route "{route}"')
                observers[name] = observer
        return observers
