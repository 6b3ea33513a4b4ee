"""A deadline or a fallback that could not be kept is refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.cli.checking.results import local_results
from batchd.cli.checking.routes import models_of
from batchd.config.load import load
from batchd.plugin.catalogue import Catalogue

from .conftest import refused

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
    [line] = refused(config(tmp_path, 'finish_within = "6h"'), catalogue)
    assert "[routes.reviews] finish_within: cannot be kept" in line
    assert 'the plugin "batches-only" of [providers.acme] makes none' in line


def test_a_deadline_with_live_calls_is_taken(tmp_path: Path, catalogue: Catalogue) -> None:
    loaded = load(config(tmp_path, 'finish_within = "6h"', provider="openai"), catalogue)
    assert loaded.routes[0].finish_within == 6 * 3_600.0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ['fallback = "opneai"', 'fallback_after = "30m"'],
            'there is no table [providers.opneai]; did you mean "openai"?',
        ),
        (['fallback = "acme"', 'fallback_after = "30m"'], "fallback: is the provider of the route itself"),
        (['fallback = "openai"'], "fallback: is never used: write finish_within"),
        (['fallback_after = "30m"'], 'fallback_after: has no meaning without fallback = "NAME"'),
        (['fallback_model = "x"'], 'fallback_model: has no meaning without fallback = "NAME"'),
    ],
)
def test_a_fallback_of_no_use_is_refused(tmp_path: Path, catalogue: Catalogue, lines: list[str], message: str) -> None:
    [line] = refused(config(tmp_path, *lines), catalogue)
    assert message in line


def test_a_fallback_keeps_a_deadline_that_the_provider_cannot(tmp_path: Path, catalogue: Catalogue) -> None:
    lines = ('finish_within = "6h"', 'fallback = "openai"', 'fallback_model = "gpt-5-mini"', 'fallback_after = "30m"')
    route = load(config(tmp_path, *lines), catalogue).routes[0]
    assert (route.fallback, route.fallback_model, route.fallback_after) == ("openai", "gpt-5-mini", 1_800.0)


def test_check_says_that_rows_go_to_another_company_and_to_which(tmp_path: Path, catalogue: Catalogue) -> None:
    lines = ('finish_within = "6h"', 'fallback = "openai"', 'fallback_after = "30m"')
    path = config(tmp_path, *lines)
    path.write_text(
        path.read_text().replace('api_key = "env:K"', 'api_key = "env:K"\nbase_url = "https://api.far.example/v1"')
    )
    loaded = load(path, catalogue)
    [result] = [each for each in local_results(loaded, catalogue) if "another company" in each.text]
    assert (result.subject, result.level) == ("route reviews", "note")
    assert "go to another company: api.far.example, which is [providers.openai]" in result.text
    assert "would be late or wait for acme for longer than fallback_after" in result.text
    assert models_of(loaded, "openai") == ["m"], "its model is checked, too"


def test_check_says_what_a_deadline_does_where_all_is_asked_by_live_calls(tmp_path: Path, catalogue: Catalogue) -> None:
    def notes(*lines: str) -> list[str]:
        path = config(tmp_path, 'finish_within = "6h"', *lines, provider="local")
        path.write_text(path.read_text() + '[providers.local]\nservice = "vllm"\n')
        return [each.text for each in local_results(load(path, catalogue), catalogue)]

    [alone] = [each for each in notes() if "finish_within" in each]
    assert "finish_within changes nothing: local is asked by live calls" in alone
    assert 'write fallback = "NAME"' in alone
    elsewhere = notes('fallback = "openai"')
    assert any("Rows that would be late go to another company" in each for each in elsewhere)
    assert not any("changes nothing" in each for each in elsewhere)
