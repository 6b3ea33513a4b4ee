"""docs/configuration.md has every key there is, and no other, with the default that it really has."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from batchd import app
from batchd.adapters import config
from batchd.adapters.config_tables import (
    Budget,
    CeilingsTable,
    FolderNames,
    Intake,
    PriceTable,
    ProviderTable,
    RouteTable,
    SinkTable,
)
from batchd.adapters.plugins import Catalogue, Role
from batchd.adapters.validation import check
from batchd.errors import ConfigError

from .pages import DOCS, code, headings, tables

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = DOCS / "configuration.md"
TABLES = tables(PAGE)

OWN: Mapping[str, type[BaseModel]] = {
    "`[folders]`": FolderNames,
    "`[intake]`": Intake,
    "`[budget]`": Budget,
    "`[providers.NAME]`": ProviderTable,
    "`[providers.NAME.budget]`": CeilingsTable,
    '`[providers.NAME.prices."MODEL"]`': PriceTable,
    "`[routes.NAME]`": RouteTable,
    "`[sinks.NAME]`": SinkTable,
}
"""The tables of batchd itself, by the heading they stand under."""

PLUGINS = {
    f"{role.noun.capitalize().removesuffix(' builder')} `{kind}`": (role, kind)
    for role in (Role.PROVIDER, Role.PROMPT_BUILDER, Role.READER, Role.SINK)
    for kind in Catalogue.load().kinds(role)
}
"""Those of the built-in plugins."""

NEEDED: Mapping[type[BaseModel], dict[str, Any]] = {
    PriceTable: {"input": 1.0, "output": 1.0},
    ProviderTable: {"plugin": "openai"},
    SinkTable: {"plugin": "csv"},
    RouteTable: {"provider": "x", "model": "y", "prompt": {"plugin": "template"}},
}
"""What a table must have, to look at the default of another key."""


def model_of(heading: str) -> type[BaseModel]:
    """The model behind the table under a heading."""
    return OWN[heading] if heading in OWN else Catalogue.load().settings_type(*PLUGINS[heading])


def keys_of(model: type[BaseModel]) -> set[str]:
    """The keys as people write them. `settings` collects those of a plugin."""
    return {field.alias or name for name, field in model.model_fields.items()} - {"settings"}


def documented() -> Iterator[tuple[str, str, str]]:
    """Heading, key and default of every documented key."""
    for heading in (*OWN, *PLUGINS):
        for key, default, _ in TABLES.get(heading, []):
            yield heading, code(key) or key, default


def not_yet() -> dict[str, set[str]]:
    """The keys of the last table, by the table of the config they belong to."""
    found: dict[str, set[str]] = {}
    for path, _ in TABLES["Not yet"]:
        table, _, key = (code(path) or path).partition(" = ")[0].rpartition(".")
        found.setdefault(f"`[{table}]`", set()).add(key)
    return found


@pytest.mark.parametrize("heading", [*OWN, *PLUGINS])
def test_every_key_is_documented_and_no_other(heading: str) -> None:
    assert heading in headings(PAGE)
    rows = [code(key) for key, _, _ in TABLES.get(heading, [])]
    assert len(rows) == len(set(rows))
    keys = keys_of(model_of(heading))
    later = not_yet().get(heading, set())
    # `mode` stands in both: two of its words work, one does not.
    assert set(rows) | later == keys
    assert set(rows) & later <= {"mode"}


@pytest.mark.parametrize(("heading", "key", "default"), list(documented()))
def test_the_default_is_the_default(heading: str, key: str, default: str) -> None:
    model = model_of(heading)
    field = next(field for name, field in model.model_fields.items() if key in (name, field.alias))
    if default == "needed":
        assert field.is_required()
        return
    if (heading, key) in {("`[providers.NAME]`", "plugin"), ("`[sinks.NAME]`", "plugin")}:
        assert default == "the table's name"
        return
    written = code(default)
    if written is None or (heading, key) == ("`[routes.NAME]`", "match"):
        # A word for what is found out later.
        assert not field.is_required()
        assert field.get_default(call_default_factory=True) in (None, {})
        return
    needed = dict(NEEDED.get(model, {})) or {
        field.alias or name: "x" for name, field in model.model_fields.items() if field.is_required()
    }
    plain, faults = check(model, needed)
    assert faults == []
    said, faults = check(model, {**needed, key: tomllib.loads(f"it = {written}")["it"]})
    assert faults == []
    assert said == plain


@pytest.mark.parametrize(("heading", "key", "default"), list(documented()))
def test_every_key_has_a_meaning(heading: str, key: str, default: str) -> None:
    [meaning] = [row[2] for row in TABLES[heading] if code(row[0]) == key]
    assert len(meaning) > 8


def test_every_table_of_keys_is_looked_at_here() -> None:
    assert set(TABLES) == {"The top", "Not yet"} | {heading for heading, _, _ in documented()}


def test_the_top_is_documented() -> None:
    named = {code(row[0]) for row in TABLES["The top"]}
    sections = {heading.strip("`[]").partition(".")[0] for heading in OWN}
    assert named | sections == set(config._RootTable.model_fields)


HEAD = {
    "providers": {"acme": {"plugin": "openai"}},
    "routes": {"reviews": {"provider": "acme", "model": "m", "prompt": {"plugin": "template", "user": "{{ a }}"}}},
}
EXAMPLES: Mapping[str, Any] = {
    "held": "later",
    "per_job": 1.0,
    "per_day": 1.0,
    "per_month": 1.0,
    "mode": "live",
    "reuse": "30d",
    "finish_within": "24h",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading goes to the folder of the config; this comes back."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("row", TABLES["Not yet"], ids=lambda row: row[0])
def test_what_is_refused_is_refused_and_what_is_accepted_is_accepted(tmp_path: Path, row: list[str]) -> None:
    path = (code(row[0]) or "").partition(" = ")[0].replace("providers.NAME", "providers.acme")
    *tables_, key = path.replace("routes.NAME", "routes.reviews").split(".")
    file = tmp_path / "config.toml"
    data: dict[str, Any] = tomllib.loads(tomli_w.dumps(HEAD))
    table = data
    for name in tables_:
        table = table.setdefault(name, {})
    table[key] = EXAMPLES[key]
    file.write_text(tomli_w.dumps(data))
    if row[1].startswith("refused"):
        with pytest.raises(ConfigError, match=key):
            app.load(file)
    else:
        app.load(file)


def test_a_provider_and_a_sink_may_be_named_after_their_plugin(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    route = {**HEAD["routes"]["reviews"], "provider": "openai", "sinks": ["csv"]}
    file.write_text(tomli_w.dumps({"providers": {"openai": {}}, "sinks": {"csv": {}}, "routes": {"r": route}}))
    loaded, _ = app.load(file)
    assert (loaded.providers["openai"].plugin, loaded.sinks["csv"].plugin) == ("openai", "csv")
    assert loaded.routes[0].match == ("r/**",)
