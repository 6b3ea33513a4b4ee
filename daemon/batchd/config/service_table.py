"""What is known of a service, as a plugin ships it: keys of its provider, what it takes, and where that was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ..domain.words import proposal
from ..errors import ConfigError, PluginError
from ..plugin.catalogue import Catalogue, Role, told
from ..plugin.validation import check
from .tables import Table


class ServiceLimits(Table):
    """The most that the service takes: requests and bytes of a batch, bytes of a line, tokens in unfinished batches."""

    max_requests: int | None = Field(default=None, ge=1)
    max_bytes: int | None = Field(default=None, ge=1)
    max_line_bytes: int | None = Field(default=None, ge=1)
    max_enqueued_tokens: int | None = Field(default=None, ge=1)


class PricedWay(Table):
    """A way to ask with a price of its own, besides batches: how to ask for it, when, and what it takes off.

    With `params` of a request or `hours` (UTC) it becomes a lane of the provider; otherwise `how` says why batchd
    cannot ask in this way.
    """

    name: str
    discount: float | None = Field(default=None, ge=-10, le=1)
    params: dict[str, Any] = Field(default_factory=dict)
    hours: list[str] = Field(default_factory=list)
    how: str = ""


class ReadAt(Table):
    """Where something was read, when (`2026-11-23`), and whose words they are."""

    where: str
    at: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    whose: Literal["its own page", "someone else's page", "not verified"] = "its own page"


class ServiceTable(Table):
    """One service.

    `provider` are keys of `[providers.NAME]`, of batchd and of the plugin, which the operator's own table overrides.
    `needed` are keys that only the operator knows, each with an example. `window` is the shortest and the longest
    `completion_window`. `endpoints` are those that it answers, as routes write them; `batch_endpoints` those in
    batches, if not all. `lists` is how it pages the list of its batches. `lanes` are live calls at other
    prices; those with `params` or `hours` become lanes of the provider.
    """

    title: str
    plugin: str
    provider: dict[str, Any] = Field(default_factory=dict)
    needed: dict[str, str] = Field(default_factory=dict)
    limits: ServiceLimits = ServiceLimits()
    window: list[str] = Field(default_factory=list, max_length=2)
    endpoints: list[str] = Field(default_factory=list)
    batch_endpoints: list[str] | None = None
    lists: Literal["pages", "cursors", "whole", "none"] | None = None
    discount: str | None = None
    lanes: list[PricedWay] = Field(default_factory=list)
    quirks: list[str] = Field(default_factory=list)
    read: list[ReadAt] = Field(min_length=1)

    @property
    def mode(self) -> str:
        """Whether the service has batches, as far as is known, in the words of a provider's `mode`."""
        return str(self.provider.get("mode", "auto"))

    def completed(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """The provider's table: what is known, overridden key by key by what the operator wrote."""
        lanes = [
            {"name": lane.name, "params": lane.params, "hours": lane.hours, "discount": lane.discount}
            for lane in self.lanes
            if (lane.params or lane.hours) and lane.discount is not None
        ]
        return _over({"plugin": self.plugin, **self.provider, **({"lanes": lanes} if lanes else {})}, written)

    def missing(self, written: Mapping[str, Any]) -> dict[str, str]:
        """The needed keys that are not written, each with an example."""
        return {key: example for key, example in self.needed.items() if key not in written}


def _over(known: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**known, **written}
    for key, value in written.items():
        inner = known.get(key)
        if isinstance(value, dict) and isinstance(inner, dict):
            merged[key] = _over(inner, value)
    return merged


def service_named(catalogue: Catalogue, name: str) -> ServiceTable:
    """What is known of the service. Raises ConfigError with the nearest names, PluginError if its table is wrong."""
    if catalogue.find(Role.SERVICE, name) is None:
        known = proposal(name, catalogue.kinds(Role.SERVICE))
        known += "" if known.endswith("?") else "."
        suspects = told(*catalogue.suspects(Role.SERVICE, name))
        raise ConfigError(f'There is no service "{name}"{known} `batchd services` lists them. {suspects}'.rstrip())
    table, faults = check(ServiceTable, catalogue.service(name))
    if table is None:
        wrong = "; ".join(fault.in_table for fault in faults)
        raise PluginError(f'The table of the service "{name}" is wrong: {wrong}.')
    return table


def all_services(catalogue: Catalogue) -> dict[str, ServiceTable]:
    """Every service that can be chosen by `service = "NAME"`, by name."""
    return {name: service_named(catalogue, name) for name in catalogue.kinds(Role.SERVICE)}
