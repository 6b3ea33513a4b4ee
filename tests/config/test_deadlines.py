"""A deadline or a fallback that could not be kept is refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.config.load import load
from batchd.errors import ConfigError
from batchd.plugin.catalogue import Catalogue

PLUGIN = """
from batchd import BatchProvider, hookimpl


class BatchesOnly(BatchProvider):
    async def submit(self, submission): ...
    async def poll(self, batch): ...
    def results(self, batch): ...


@hookimpl
def register_providers(register):
    register("batches-only", BatchesOnly)
"""
CONFIG = """
[providers.acme]
plugin = "batches-only"

[providers.openai]
api_key = "env:K"

[routes.reviews]
provider = "{provider}"
model = "m"
{more}
prompt = {{ plugin = "template", user = "{{{{ review }}}}" }}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """The built-in plugins, and a provider that has batches only."""
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "only.py").write_text(PLUGIN)
    return Catalogue.load(tmp_path / "plugins.d")


def config(tmp_path: Path, *more: str, provider: str = "acme") -> Path:
    """A configuration with these lines in its route."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(provider=provider, more="\n".join(more)))
    return path


def test_a_deadline_without_live_calls_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError) as refused:
        load(config(tmp_path, 'finish_within = "6h"'), catalogue)
    [line] = str(refused.value).splitlines()
    assert "[routes.reviews] finish_within: cannot be kept" in line
    assert 'the plugin "batches-only" of [providers.acme] makes none' in line


def test_a_deadline_with_live_calls_is_taken(tmp_path: Path, catalogue: Catalogue) -> None:
    loaded = load(config(tmp_path, 'finish_within = "6h"', provider="openai"), catalogue)
    assert loaded.routes[0].finish_within == 6 * 3_600.0


def test_there_is_no_deadline_unless_it_is_set(tmp_path: Path, catalogue: Catalogue) -> None:
    assert load(config(tmp_path), catalogue).routes[0].finish_within is None
