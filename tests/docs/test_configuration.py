"""docs/configuration.md has every key there is, and no other, with the default that it really has."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from batchd.app.load import load
from batchd.config import load as config
from batchd.config.provider_table import LaneTable, PriceTable, ProviderTable
from batchd.config.tables import (
    BudgetTable,
    CeilingsTable,
    FolderNames,
    Intake,
    ObserverTable,
    PeopleTable,
    PluginsTable,
    RetentionTable,
    ReuseTable,
    RouteBudgetTable,
    RouteTable,
    SinkTable,
    WorkersTable,
)
from batchd.config.web import WebTable
from batchd.plugin.catalogue import Catalogue, Role
from batchd.plugin.validation import check
from batchd_dask.settings import DaskSettings
from batchd_notify.command import Command
from batchd_notify.notify import Notify
from batchd_notify.webhook import Webhook
from batchd_prompts.embedding import EmbeddingSettings
from batchd_prompts.template_settings import TemplateSettings
from batchd_sinks.postgres_sink import PostgresSettings
from batchd_sinks.sqlite_sink import SqliteSettings
from batchd_sinks.webhook_sink import WebhookSinkSettings

from .pages import DOCS, code, headings, tables

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = DOCS / "configuration.md"
TABLES = tables(PAGE)

OWN: Mapping[str, type[BaseModel]] = {
    "`[plugins]`": PluginsTable,
    "`[folders]`": FolderNames,
    "`[intake]`": Intake,
    "`[budget]`": BudgetTable,
    "`[reuse]`": ReuseTable,
    "`[retention]`": RetentionTable,
    "`[people]`": PeopleTable,
    "`[web]`": WebTable,
    "`[workers]`": WorkersTable,
    "`[providers.NAME]`": ProviderTable,
    "`[providers.NAME.budget]`": CeilingsTable,
    '`[providers.NAME.prices."MODEL"]`': PriceTable,
    "`[[providers.NAME.lanes]]`": LaneTable,
    "`[routes.NAME]`": RouteTable,
    "`[routes.NAME.budget]`": RouteBudgetTable,
    "`[sinks.NAME]`": SinkTable,
    "`[observers.NAME]`": ObserverTable,
}
"""The tables of batchd itself, by the heading they stand under."""

PLUGINS = {
    f"{role.noun.capitalize().removesuffix(' builder')} `{kind}`": (role, kind)
    for role in (Role.PROVIDER, Role.PROMPT_BUILDER, Role.READER, Role.SINK, Role.OBSERVER, Role.EXECUTOR)
    for kind in Catalogue.load().kinds(role)
    if kind != "local"
}
"""Those of the built-in plugins."""

NEEDED: Mapping[type[BaseModel], dict[str, Any]] = {
    PriceTable: {"input": 1.0, "output": 1.0},
    DaskSettings: {"address": "tls://10.0.0.5:8786"},
    LaneTable: {"name": "x", "discount": 0.5, "params": {"a": 1}},
    ProviderTable: {"plugin": "openai"},
    SinkTable: {"plugin": "csv"},
    ObserverTable: {"plugin": "finished"},
    TemplateSettings: {"user": "x"},
    EmbeddingSettings: {"input": ["x"]},
    Notify.Settings: {"urls": ["x"]},
    Webhook.Settings: {"url": "https://x", "secret": "x"},
    Command.Settings: {"run": ["x"]},
    SqliteSettings: {"path": "x"},
    PostgresSettings: {"url": "x"},
    WebhookSinkSettings: {"url": "https://x", "secret": "x"},
    RouteTable: {"provider": "x", "model": "y", "prompt": {"plugin": "template"}},
}
"""What a table must have, to look at the default of another key."""


def model_of(heading: str) -> type[BaseModel]:
    """The model behind the table under a heading."""
    return OWN[heading] if heading in OWN else Catalogue.load().settings_type(*PLUGINS[heading])


def keys_of(model: type[BaseModel]) -> set[str]:
    """The keys as people write them. `settings` collects those of a plugin."""
    return {field.alias or name for name, field in model.model_fields.items()} - {"settings", "known_service"}


def documented() -> Iterator[tuple[str, str, str]]:
    """Heading, key and default of every documented key."""
    for heading in (*OWN, *PLUGINS):
        for key, default, _ in TABLES.get(heading, []):
            yield heading, code(key) or key, default


def test_every_key_is_documented_once_and_no_other() -> None:
    faults = []
    for heading in (*OWN, *PLUGINS):
        if heading not in headings(PAGE):
            faults.append(f"there is no heading {heading}")
            continue
        rows = [code(key) or key for key, _, _ in TABLES.get(heading, [])]
        keys = keys_of(model_of(heading))
        faults += [f"{heading} has {key} twice" for key in set(rows) if rows.count(key) > 1]
        faults += [f"{heading} lacks {key}" for key in keys - set(rows)]
        faults += [f"{heading} has {key}, which is no key" for key in set(rows) - keys]
    assert not faults, "\n".join(faults)


def is_the_default(heading: str, key: str, default: str) -> bool:
    """Whether what the page says is the default of the key is that."""
    model = model_of(heading)
    field = next((field for name, field in model.model_fields.items() if key in (name, field.alias)), None)
    if field is None:
        return False
    if default == "needed":
        return field.is_required()
    if (heading, key) in {
        ("`[providers.NAME]`", "plugin"),
        ("`[sinks.NAME]`", "plugin"),
        ("`[observers.NAME]`", "plugin"),
    }:
        return default == "the table's name"
    written = code(default)
    if written is None or (heading, key) == ("`[routes.NAME]`", "match"):
        # A word for what is found out later.
        return not field.is_required() and field.get_default(call_default_factory=True) in (None, {})
    needed = dict(NEEDED.get(model, {})) or {
        field.alias or name: "x" for name, field in model.model_fields.items() if field.is_required()
    }
    without, faults_without = check(model, needed)
    with_it, faults_with = check(model, {**needed, key: tomllib.loads(f"it = {written}")["it"]})
    return not faults_without and not faults_with and with_it == without


@pytest.mark.slow
def test_every_default_is_the_default() -> None:
    faults = [
        f"{heading}: the default of {key} is not {default}"
        for heading, key, default in documented()
        if not is_the_default(heading, key, default)
    ]
    assert not faults, "\n".join(faults)


def test_every_key_has_a_meaning() -> None:
    meanings = [(heading, row[0], row[2]) for heading in (*OWN, *PLUGINS) for row in TABLES.get(heading, [])]
    assert [(heading, key) for heading, key, meaning in meanings if len(meaning) <= 8] == []


def test_every_table_of_keys_is_looked_at_here() -> None:
    assert set(TABLES) == {"The top"} | {heading for heading, _, _ in documented()}


def test_the_top_is_documented() -> None:
    named = {code(row[0]) for row in TABLES["The top"]}
    sections = {heading.strip("`[]").partition(".")[0] for heading in OWN}
    assert named | sections | {"commands"} == set(config.RootTable.model_fields)


HEAD = {
    "providers": {"acme": {"plugin": "openai"}},
    "routes": {"reviews": {"provider": "acme", "model": "m", "prompt": {"plugin": "template", "user": "{{ a }}"}}},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading goes to the folder of the config; this comes back."""
    monkeypatch.chdir(tmp_path)


def test_a_provider_and_a_sink_may_be_named_after_their_plugin(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    route = {**HEAD["routes"]["reviews"], "provider": "openai", "sinks": ["csv"]}
    file.write_text(tomli_w.dumps({"providers": {"openai": {}}, "sinks": {"csv": {}}, "routes": {"r": route}}))
    loaded, _ = load(file)
    assert (loaded.providers["openai"].plugin, loaded.sinks["csv"].plugin) == ("openai", "csv")
    assert loaded.routes[0].match == ("r/**",)
