"""A catalogue of small plugins that stand in for the built-in ones, and a way to write configs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

from batchd.config.load import load
from batchd.errors import ConfigError
from batchd.plugin.catalogue import Catalogue

PLUGINS = """
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

import batchd
from batchd import Duration, Secret, Settings, hookimpl


class Answering(batchd.BatchProvider, batchd.LiveProvider):
    class Settings(batchd.Settings):
        base_url: str
        api_key: Secret
        region: Literal["north", "south"] = "north"
        timeout: Duration = 10.0
        headers: dict[str, Secret] = Field(default_factory=dict)

    async def submit(self, submission): ...
    async def poll(self, batch): ...
    def results(self, batch): ...
    async def complete(self, custom_id, body, *, endpoint): ...


class LiveOnly(batchd.LiveProvider):
    async def complete(self, custom_id, body, *, endpoint): ...


class Template(batchd.PromptBuilder):
    class Settings(batchd.Settings):
        system: str | None = None
        user: str
        columns: list[str] | str = ("answer",)
        separator: str | None = None
        signing: Secret | None = None

        @field_validator("user")
        @classmethod
        def _one_column(cls, user):
            if "{{" not in user:
                raise ValueError("names no column: write one as {{ review }}.")
            return user

    def build(self, row): ...


class Csv(batchd.Reader):
    suffixes = (".csv", ".tsv")

    class Settings(batchd.Settings):
        encoding: str | None = None
        delimiter: str | None = None

    def read(self, source): ...


class Jsonl(batchd.Reader):
    suffixes = (".jsonl",)

    class Settings(batchd.Settings):
        flatten: bool = False

    def read(self, source): ...


class CsvSink(batchd.Sink):
    class Settings(batchd.Settings):
        bom: bool = False

    async def publish(self, job, rows): ...


class JsonlSink(batchd.Sink):
    async def publish(self, job, rows): ...


class Webhook(batchd.Sink):
    class Retry(BaseModel):
        model_config = {"extra": "forbid"}
        times: int = 3

    class Settings(batchd.Settings):
        url: str
        token: str = ""
        retry: "Webhook.Retry | None" = None

        @field_validator("token")
        @classmethod
        def _refuse(cls, token):
            if token == "":
                return token
            raise ValueError(f"{token!r} was refused")

    async def publish(self, job, rows): ...


class Clumsy(batchd.Sink):
    class Settings(batchd.Settings):
        size: int

        @field_validator("size")
        @classmethod
        def _clumsy(cls, size):
            return {}["nothing"]

    async def publish(self, job, rows): ...


Webhook.Settings.model_rebuild()


class Finished(batchd.Observer):
    async def notice(self, event): ...


class Cluster(batchd.Executor):
    class Settings(batchd.Settings):
        address: str

    async def run(self, function, task): ...


class Bell(batchd.Observer):
    class Settings(batchd.Settings):
        url: str
        token: Secret | None = None

    async def notice(self, event): ...


@hookimpl
def register_providers(register):
    register("openai", Answering)
    register("live-only", LiveOnly)


READ = [{"where": "its page", "at": "2026-11-23"}]


@hookimpl
def register_services(register):
    known = {"base_url": "https://known.example/v1", "api_key": "env:KNOWN_KEY", "poll": "60s", "batch_discount": 0.5}
    known["headers"] = {"X-Team": "env:TEAM", "X-Room": "env:ROOM"}
    limits = {"max_requests": 5_000, "max_bytes": 500_000_000}
    register("known", lambda: {"title": "Known", "plugin": "openai", "provider": known, "limits": limits, "read": READ})
    own = {"title": "Own", "plugin": "openai", "provider": {"api_key": "env:K"}, "read": READ}
    register("own", lambda: {**own, "needed": {"base_url": "https://YOURS.example/v1"}})
    register("holysheep", lambda: {"title": "HolySheep", "plugin": "openai", "read": READ})
    register("faulty", lambda: {"title": "Faulty", "plugin": "openai", "adress": "x", "read": READ})


@hookimpl
def register_prompt_builders(register):
    register("template", Template)


@hookimpl
def register_readers(register):
    register("csv", Csv)
    register("jsonl", Jsonl)


@hookimpl
def register_sinks(register):
    register("csv", CsvSink)
    register("jsonl", JsonlSink)
    register("same", CsvSink)
    register("webhook", Webhook)
    register("clumsy", Clumsy)


@hookimpl
def register_executors(register):
    register("cluster", Cluster)


@hookimpl
def register_observers(register):
    register("finished", Finished)
    register("bell", Bell)
"""

GOOD = """
[providers.acme]
plugin = "openai"
base_url = "https://acme.example/v1"
api_key = "env:ACME_KEY"

[routes.reviews]
provider = "acme"
model = "small"

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{ review }}"
"""


def refused(path: Path, catalogue: Catalogue) -> list[str]:
    """The lines of the error, without the path, which each begins with."""
    with pytest.raises(ConfigError) as caught:
        load(path, catalogue)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.fixture(scope="session")
def plugin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins.d")
    (folder / "standard.py").write_text(PLUGINS)
    return folder


@pytest.fixture(scope="session")
def catalogue(plugin_dir: Path) -> Catalogue:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "entry_points", lambda **_: ())
        return Catalogue.load(plugin_dir)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a config (indented as the test likes) and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(dedent(text))
        return path

    return write


@pytest.fixture
def good() -> str:
    """The smallest config that will do, to be added to."""
    return GOOD
