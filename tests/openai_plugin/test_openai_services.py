"""The tables of services that batchd_openai ships: each can be used as it is, and says where it was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.config.load import load
from batchd.config.service_table import ServiceTable, all_services
from batchd.plugin.catalogue import Catalogue
from batchd_openai.provider import OpenAIProvider
from batchd_openai.settings import Access

pytestmark = pytest.mark.field("services")

NAMES = {
    "openai", "azure", "gemini", "groq", "together", "deepseek", "dashscope", "zhipu",
    "moonshot", "siliconflow", "perplexity", "fireworks", "novita", "holysheep", "litellm", "vllm", "ollama",
    "llamacpp", "lmstudio",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.fixture(scope="module")
def known(catalogue: Catalogue) -> dict[str, ServiceTable]:
    return all_services(catalogue)


def test_the_services_that_people_use_are_there(known: dict[str, ServiceTable]) -> None:
    assert set(known) >= NAMES


def test_each_can_be_used_as_it_is(tmp_path: Path, catalogue: Catalogue, known: dict[str, ServiceTable]) -> None:
    text = ""
    for name, table in known.items():
        lines = [f"[providers.{name}]", f'service = "{name}"', *(f'{k} = "{v}"' for k, v in table.needed.items())]
        lines += [
            f"[routes.{name}]",
            f'provider = "{name}"',
            'model = "m"',
            'prompt = { plugin = "template", user = "{{ a }}" }',
        ]
        lines += [f'endpoint = "{table.endpoints[0]}"']
        text += "\n".join(lines) + "\n"
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = load(path, catalogue)
    # No literal secret, and no route that takes another one's files.
    assert config.warnings == ()
    assert {name: table.plugin for name, table in config.providers.items()} == {n: t.plugin for n, t in known.items()}


def test_none_has_a_key_in_it(known: dict[str, ServiceTable]) -> None:
    keys = {name: table.provider.get("api_key") for name, table in known.items()}
    assert [name for name, key in keys.items() if key != "none" and not str(key).startswith("env:")] == []


def test_each_says_what_it_can_be_asked_and_where_that_was_read(known: dict[str, ServiceTable]) -> None:
    assert [name for name, table in known.items() if not table.endpoints or not table.read] == []
    assert [name for name, table in known.items() if not set(table.batch_endpoints or []) <= set(table.endpoints)] == []


def test_no_discount_is_claimed_for_a_service_without_batches(known: dict[str, ServiceTable]) -> None:
    assert [name for name, table in known.items() if table.mode == "live" and "batch_discount" in table.provider] == []


async def test_a_server_without_a_key_gets_a_word_that_is_no_secret() -> None:
    settings = OpenAIProvider.Settings.model_validate({"base_url": "http://localhost:8000/v1", "api_key": "none"})
    access = Access.read(settings)
    assert access.key == "none"
