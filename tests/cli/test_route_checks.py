"""`batchd check` compares what each route asks, at its provider and at its fallback, and says what it did not compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.cli.checking.results import local_results
from batchd.config.load import load
from batchd.plugin.catalogue import Catalogue

pytestmark = pytest.mark.field("check")

CONFIG = """
[providers.first]
service = "openai"
api_key = "none"

[providers.second]
service = "zhipu"
api_key = "none"
{providers}
[routes.reviews]
provider = "first"
model = "gpt-4o-mini"
fallback = "second"
fallback_model = "{model}"
finish_within = "2h"
endpoint = "/v1/chat/completions"
prompt = {{ plugin = "template", user = "Review: {{{{ review }}}}" }}
params = {{ {params} }}
"""
AT_FALLBACK = "route reviews, at its fallback second"


def said(folder: Path, catalogue: Catalogue, *, params: str, model: str = "some-model", providers: str = "") -> str:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(params=params, model=model, providers=providers))
    config = load(path, catalogue)
    return "\n".join(f"{each.level} {each.subject}: {each.text}" for each in local_results(config, catalogue))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


def test_the_fallback_is_compared_like_the_provider(tmp_path: Path, catalogue: Catalogue) -> None:
    text = said(tmp_path, catalogue, params="max_tokens = 9_000, temperature = 0", model="gpt-5-mini")
    wanted = [
        f"note {AT_FALLBACK}: What its jobs cost will not be known.",
        f"note {AT_FALLBACK}: gpt-5-mini is known to refuse max_tokens = 9000",
        f"note {AT_FALLBACK}: gpt-5-mini is known to refuse temperature = 0",
        f"note {AT_FALLBACK}: The endpoint /v1/chat/completions is not known at Zhipu",
    ]
    assert [each for each in wanted if each not in text] == []
    assert "note route reviews: gpt-4o-mini" not in text


def test_what_was_not_compared_is_said(tmp_path: Path, catalogue: Catalogue) -> None:
    text = said(tmp_path, catalogue, params="max_tokens = 900_000, seed = 1, temperature = 0")
    assert (
        f"note {AT_FALLBACK}: batchd does not know the model some-model, so it did not check whether it takes seed "
        "and temperature and whether it can answer with 900,000 tokens."
    ) in text
    assert "note route reviews: max_tokens = 900,000 in [routes.reviews.params] is more than gpt-4o-mini takes" in text
    assert "did not check" not in said(tmp_path, catalogue, params="max_tokens = 300")


def test_a_budget_says_what_an_unknown_price_at_the_fallback_means(tmp_path: Path, catalogue: Catalogue) -> None:
    text = said(tmp_path, catalogue, params="max_tokens = 300", providers="[budget]\nper_day = 5\n")
    assert f"note {AT_FALLBACK}: There is a budget, so nothing goes there until somebody approves it." in text
