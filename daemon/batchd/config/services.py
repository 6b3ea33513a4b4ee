"""Every service that can be chosen by `service = "NAME"`, with what is known of it."""

from __future__ import annotations

from ..domain.words import proposal
from ..errors import ConfigError, PluginError
from ..plugin.catalogue import Catalogue, Role, told
from ..plugin.validation import check
from .service_table import ServiceTable


def service_named(catalogue: Catalogue, name: str) -> ServiceTable:
    """What is known of the service. Raises ConfigError with the nearest names, PluginError if its table is wrong."""
    if catalogue.find(Role.SERVICE, name) is None:
        known = proposal(name, catalogue.kinds(Role.SERVICE), "there are")
        known += "" if known.endswith("?") else "."
        suspects = told(*catalogue.suspects(Role.SERVICE, name))
        raise ConfigError(f'There is no service "{name}"{known} `batchd services` lists them. {suspects}'.rstrip())
    table, faults = check(ServiceTable, catalogue.service(name))
    if table is None:
        wrong = "; ".join(fault.in_table for fault in faults)
        raise PluginError(f'The table of the service "{name}" is wrong: {wrong}.')
    return table


def all_services(catalogue: Catalogue) -> dict[str, ServiceTable]:
    """All of them, by name."""
    return {name: service_named(catalogue, name) for name in catalogue.kinds(Role.SERVICE)}
