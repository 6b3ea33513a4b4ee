"""What a look needs of the configuration: folders, currency and budgets, read without checking the rest.

A configuration that does not pass its checks must not keep anyone from seeing what the daemon does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ..config import toml as toml_text
from ..config.locations import DEFAULT_FOLDERS, resolved, state_folder
from ..store.layout import DATABASE
from .room import blocked

if TYPE_CHECKING:
    from ..store.reading.records import Condition


class Places(Struct, frozen=True):
    """The folders of a configuration, its currency and its budgets."""

    config: Path
    state: Path
    outbox: Path
    archive: Path
    rejected: Path
    currency: str
    plugin_dir: Path | None = None
    spool: Path | None = None
    """The folder of working files, None if they are in the state folder."""
    budgets: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """The tables of budgets, by section and name: `("", "")` is `[budget]`, `("routes", "reviews")` that of a route."""

    def blocked(self) -> list[Condition]:
        """The conditions of plugins that are kept off."""
        return blocked(self.state, self.config.absolute(), self.plugin_dir)

    @property
    def database(self) -> Path:
        """The SQLite file, which is open to read."""
        return self.state / DATABASE

    @classmethod
    def of(cls, config: Path) -> Places:
        """Read them from `config`. Raise ConfigError if the file is no TOML, or does not say where the state is."""
        data = toml_text.read(config).data
        folders = _table(data, "folders")
        outbox, archive, rejected = (
            resolved(str(folders.get(name) or DEFAULT_FOLDERS[name]), config)
            for name in ("outbox", "archive", "rejected")
        )
        currency = _table(data, "budget").get("currency", "USD")
        folder = data.get("plugin_dir")
        plugin_dir = resolved(folder, config) if isinstance(folder, str) and folder else None
        named = folders.get("spool")
        spool = resolved(named, config) if isinstance(named, str) and named else None
        budgets = {("", ""): _table(data, "budget")}
        for section in ("providers", "routes"):
            for name in _table(data, section):
                budgets[section, name] = _table(_table(_table(data, section), name), "budget")
        return cls(config, state_folder(config), outbox, archive, rejected, str(currency), plugin_dir, spool, budgets)


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = data.get(name)
    return table if isinstance(table, dict) else {}
