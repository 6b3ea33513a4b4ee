"""The limits of one provider of a configuration, without checking the rest of it."""

from __future__ import annotations

from pathlib import Path

from ..domain.words import proposal
from ..errors import ConfigError
from ..model import Limits
from ..plugin.catalogue import Catalogue
from ..plugin.validation import check
from . import toml as toml_text
from .plugin_tables import PluginTables
from .problems import Problems
from .provider_table import ProviderTable


def provider_limits(config: Path, name: str, catalogue: Catalogue) -> Limits:
    """The limits of the provider: the operator's setting, else the plugin's."""
    document = toml_text.read(config)
    tables = document.data.get("providers")
    table = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(table, dict):
        known = proposal(name, tables if isinstance(tables, dict) else (), "there are")
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
