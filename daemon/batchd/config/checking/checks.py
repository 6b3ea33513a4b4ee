"""Checks of several tables together: whether the parts of a config fit each other and the machine."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...contracts import LiveProvider
from ...domain.routing import Route
from ...domain.words import Keys, proposal
from ...errors import PluginError
from ...events.groups import GROUPS, every_kind
from ...money import published_prices as published_prices
from ...money.budget import MAX_AMOUNT
from ...money.pricing import amount
from ...money.published_prices import Service
from ...plugin.catalogue import Catalogue, Role
from ..problems import Problems
from ..provider_table import ProviderTable
from ..tables import BudgetTable, CeilingsTable, RouteBudgetTable

_PUBLIC = ("inbox", "outbox", "archive", "rejected", "held")
_OWN = {"inbox", "state", "spool"}
"""Folders that must not be inside another folder, nor contain one."""


def check_folders(folders: Mapping[str, Path], config: Path, plugin_dir: Path | None, problems: Problems) -> None:
    """Refuse folders whose files batchd would confuse.

    It processes all files in the inbox, it deletes files in the state folder, and a person who may write to a plugin
    folder can run code as batchd. Outbox, archive, rejected and held may be inside each other.
    """
    real = {name: folder.resolve() for name, folder in folders.items()}
    for name, folder in real.items():
        for other, around in real.items():
            if name == other or not folder.is_relative_to(around):
                continue
            if folder == around:
                if name > other:
                    problems.add(("folders", name), f'is the same folder as "{other}"; give it one of its own')
            elif not _OWN.isdisjoint({name, other}):
                problems.add(
                    ("folders", name), f'is inside the folder "{other}" ({folders[other]}); {_why(name, other)}'
                )
    if config.resolve().is_relative_to(real["inbox"]):
        problems.add(("folders", "inbox"), "has this configuration in it, which would be processed as a dropped file")
    if plugin_dir is not None:
        for name in _PUBLIC:
            if plugin_dir.resolve().is_relative_to(real[name]):
                problems.add(
                    ("plugin_dir",), f'is inside the folder "{name}", where others could put code for batchd to run'
                )


def check_files(routes: Sequence[Route], folders: Mapping[str, Path], problems: Problems) -> None:
    """Refuse a folder of pictures that holds, or is in, a folder of batchd's; warn of one that is not there."""
    for route in routes:
        if route.files is None:
            continue
        files = Path(route.files).resolve()
        for name, folder in folders.items():
            real = folder.resolve()
            if files.is_relative_to(real) or real.is_relative_to(files):
                problems.add(
                    ("routes", route.name, "files"),
                    f'overlaps with the folder "{name}" ({folder}); pictures must lie outside of batchd\'s folders',
                )
        if not files.is_dir():
            problems.warn(("routes", route.name, "files"), f"there is no folder {route.files}")


def check_ceilings(
    budget: BudgetTable,
    providers: Mapping[str, ProviderTable],
    routes: Mapping[str, RouteBudgetTable],
    problems: Problems,
) -> None:
    """Refuse limits that are larger than batchd can count: it could not keep them."""
    currency = budget.currency
    tables: dict[Keys, CeilingsTable] = {("budget",): budget}
    tables |= {("providers", name, "budget"): table.budget for name, table in providers.items() if table.budget}
    tables |= {("routes", name, "budget"): table for name, table in routes.items()}
    for keys, table in tables.items():
        ceilings = table.ceilings(currency)
        for name in ("per_job", "per_day", "per_month"):
            limit = getattr(ceilings, name)
            if limit is not None and limit >= MAX_AMOUNT:
                problems.add(
                    (*keys, name),
                    f"is more than batchd can count in {currency}, which is {amount(MAX_AMOUNT, currency)}; "
                    "write less, or leave it out for no limit",
                )


def check_currencies(budget: BudgetTable, providers: Mapping[str, ProviderTable], problems: Problems) -> None:
    """Require one currency for everything: batchd converts none, and cannot add up two."""
    for name, provider in providers.items():
        for model, table in provider.prices.items():
            if table.currency not in {None, budget.currency}:
                keys = ("providers", name, "prices", model, "currency")
                problems.add(
                    keys,
                    f"is {table.currency}, but [budget] currency is {budget.currency}: all sums are in one currency, "
                    "and nothing is converted; write these prices in it",
                )


def check_services(budget: BudgetTable, providers: Mapping[str, ProviderTable], problems: Problems) -> None:
    """Refuse published prices of a service that publishes none, and warn if they are in another currency."""
    for name, provider in providers.items():
        keys = ("providers", name, "prices_of")
        if provider.prices_of is None:
            continue
        if Service.named(provider.prices_of) is None:
            known = proposal(provider.prices_of, published_prices.names())
            problems.add(keys, f'there are no published prices of "{provider.prices_of}"{known}')
        elif budget.currency != published_prices.CURRENCY:
            problems.warn(
                keys,
                f"does nothing: published prices are in {published_prices.CURRENCY}, [budget] currency is "
                f"{budget.currency}, and nothing is converted",
            )


def check_disabled(names: Sequence[str], catalogue: Catalogue, problems: Problems) -> None:
    if not names:
        return
    try:
        plugins: Sequence[Any] = (*catalogue.offers, *catalogue.broken, *catalogue.disabled)
    except PluginError:
        return  # two plugins offer the same kind, which is reported where it matters
    known = {name for each in plugins for name in each.names if name}
    for number, name in enumerate(names):
        if name.lower() not in {each.lower() for each in known}:
            text = f'no plugin, distribution or kind is called "{name}"{proposal(name, known)}'
            problems.warn(("plugins", "disabled", number), text)


def check_events(observer: Keys, names: Iterable[str], problems: Problems) -> None:
    """Refuse names that are neither an event nor a group of events: the observer would never get one."""
    known = every_kind() | GROUPS.keys()
    for number, name in enumerate(names):
        if name not in known:
            text = f'there is no event or group of events "{name}"{proposal(name, known)}'
            problems.add((*observer, "events", number), text)


def check_reach(routes: Sequence[Route], problems: Problems) -> None:
    """Warn of a route that never gets a file, because an earlier one takes them all."""
    owners: dict[str, str] = {}
    for route in routes:
        everything = owners.get("**") or owners.get("*")
        before = everything or owners.get(route.match[0])
        if before is not None and (everything or all(pattern in owners for pattern in route.match)):
            problems.warn(("routes", route.name), f'never gets a file, as the route "{before}" above takes them all')
        for pattern in route.match:
            owners.setdefault(pattern, route.name)


def check_deadlines(
    routes: Sequence[Route], providers: Mapping[str, ProviderTable], catalogue: Catalogue, problems: Problems
) -> None:
    """Refuse a deadline that cannot be kept, as no live calls are possible, and a fallback that is of no use."""
    for route in routes:
        keys: Keys = ("routes", route.name)
        check_fallback(route, providers, problems)
        then = route.fallback or route.provider
        if route.finish_within is not None and not _may_be_live(then, providers, catalogue):
            problems.add(
                (*keys, "finish_within"),
                "cannot be kept: rows that a batch has not answered in time are asked by live calls, and the plugin "
                f'"{providers[then].plugin}" of [providers.{then}] makes none. Remove the line, or write '
                'fallback = "NAME", the name of a provider that makes live calls',
            )


def check_fallback(route: Route, providers: Mapping[str, ProviderTable], problems: Problems) -> None:
    """Refuse a fallback that is never used, or that cannot be."""
    keys: Keys = ("routes", route.name)
    if route.fallback is None:
        for key in ("fallback_after", "fallback_model"):
            if getattr(route, key) is not None:
                problems.add((*keys, key), 'has no meaning without fallback = "NAME", the name of another provider')
        return
    if route.fallback == route.provider:
        problems.add((*keys, "fallback"), "is the provider of the route itself; name another one")
    elif route.fallback not in providers:
        known = proposal(route.fallback, providers)
        problems.add((*keys, "fallback"), f"there is no table [providers.{route.fallback}]{known}")
    if route.fallback_after is None and route.finish_within is None:
        problems.add(
            (*keys, "fallback"),
            "is never used: write finish_within for what would be late, or fallback_after for a provider that is down",
        )
    if route.prompt.kind == "passthrough" and route.fallback_model not in (None, route.model):
        problems.add(
            (*keys, "fallback_model"),
            "is not possible here: complete requests name their model themselves",
        )


def _may_be_live(provider: str, providers: Mapping[str, ProviderTable], catalogue: Catalogue) -> bool:
    """Whether the provider makes live calls; True if that cannot be told, since another check reports why."""
    table = providers.get(provider)
    offer = catalogue.find(Role.PROVIDER, table.plugin) if table is not None else None
    return offer is None or not isinstance(offer.factory, type) or issubclass(offer.factory, LiveProvider)


def check_json(keys: Keys, value: Any, problems: Problems) -> None:
    """Refuse values that TOML has and JSON has not: they would go into requests or into a job's snapshot."""
    for place, wrong in _not_json(keys, value):
        problems.add(place, f"is a {wrong}, which JSON does not have; write it as text, in quotes")


def _not_json(keys: Keys, value: Any) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _not_json((*keys, key), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _not_json((*keys, number), item)
    elif isinstance(value, dt.date | dt.time):
        yield keys, "date or time"
    elif isinstance(value, float) and not math.isfinite(value):
        yield keys, f"number without an end ({value})"


def _why(name: str, other: str) -> str:
    if other == "inbox":
        return "batchd would process its files as dropped ones"
    if other in {"state", "spool"}:
        return "batchd keeps and deletes its own files there"
    if name == "inbox":
        return "batchd could process the files there as dropped ones"
    return "its files are batchd's own and must not be seen or moved"
