"""`batchd check` compares a provider and its routes with what is known of the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.cli.checking.result import CheckResult
from batchd.cli.checking.services import service_results
from batchd.config.load import load
from batchd.plugin.catalogue import Catalogue

pytestmark = pytest.mark.field("services")

ROUTE = """
[routes.reviews]
provider = "mine"
model = "a-model-that-nobody-lists"
prompt = { plugin = "template", user = "Review: {{ review }}" }
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


def found(folder: Path, catalogue: Catalogue, provider: str, route: str = "") -> list[CheckResult]:
    path = folder / "config.toml"
    path.write_text(f"[providers.mine]\n{provider}\n{ROUTE}{route}")
    return list(service_results(load(path, catalogue), "mine", catalogue))


def test_what_keeps_to_it_is_said_with_when_it_was_read(tmp_path: Path, catalogue: Catalogue) -> None:
    [said] = found(tmp_path, catalogue, 'service = "groq"\ncompletion_window = "7d"\nmax_requests = 50_000')
    assert (said.level, said.text) == ("ok", "It keeps to what is known of Groq, as read on 2026-11-23.")


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ('service = "siliconflow"\nmax_requests = 6_000', "max_requests = 6,000 is above what SiliconFlow takes (5,000,"),
        ('service = "together"\nmax_bytes = 150_000_000', "max_bytes = 150,000,000 is above what Together takes (100,000"),
        ('service = "groq"\ncompletion_window = "12h"', 'completion_window = "12h" is not what Groq knows (24h to 7d,'),
        ('service = "openai"\ncompletion_window = "soon"', 'completion_window = "soon" is not what OpenAI knows (24h,'),
        ('service = "gemini"\nmode = "batch"', "can send Google Gemini no batches"),
        # Where the service's limit is not known, or no service is named: what services take in general.
        ('service = "holysheep"\nmax_requests = 60_000', "is above what services take"),
        ('plugin = "openai"\nmax_requests = 60_000', "is above what services take"),
    ],
)  # fmt: skip
def test_what_is_above_it_is_a_note(tmp_path: Path, catalogue: Catalogue, provider: str, words: str) -> None:
    [said] = found(tmp_path, catalogue, provider)
    assert said.level == "note"
    assert words in said.text


def test_a_service_that_takes_more_than_others_is_believed(tmp_path: Path, catalogue: Catalogue) -> None:
    address = 'base_url = "https://r.openai.azure.com/openai/v1"'
    [said] = found(tmp_path, catalogue, f'service = "azure"\n{address}\nmax_requests = 100_000')
    assert said.level == "ok"


def test_a_service_that_takes_less_than_batchd_sends_is_recognised_by_its_address(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    provider = 'plugin = "openai"\napi_key = "env:K"\nbase_url = "{}"'
    [said] = found(tmp_path, catalogue, provider.format("https://api.siliconflow.cn/v1"))
    assert (
        'takes 5,000 requests in a batch, as read on 2026-11-28, and batchd would send 10,000. Write service = "silic'
        in said.text
    )
    assert found(tmp_path, catalogue, provider.format("https://api.siliconflow.cn/v1") + "\nmax_requests = 5_000") == []
    assert found(tmp_path, catalogue, provider.format("https://api.groq.com/openai/v1")) == []


def test_an_endpoint_that_it_does_not_know(tmp_path: Path, catalogue: Catalogue) -> None:
    [said] = found(tmp_path, catalogue, 'service = "zhipu"')
    assert said.subject == "route reviews"
    assert said.text.startswith(
        "The endpoint /v1/chat/completions is not known at Zhipu BigModel, as read on 2026-11-23;"
    )
    assert "Did you mean /v4/chat/completions?" in said.text
    responses = 'endpoint = "/v1/responses"\n'
    prompt = ROUTE.replace("template", "passthrough").replace(
        ', user = "Review: {{ review }}"', ', url = "/v1/responses"'
    )
    path = tmp_path / "config.toml"
    for mode, words in (("batch", "in batches of Groq"), ("live", None)):
        route = prompt.replace("model =", f"{responses}model =")
        path.write_text(f'[providers.mine]\nservice = "groq"\nmode = "{mode}"\n{route}')
        [said] = service_results(load(path, catalogue), "mine", catalogue)
        assert (words or "It keeps to") in said.text, said
