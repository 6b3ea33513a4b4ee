"""Params that would be refused with every row are said before anything is sent; what may be right is not judged."""

from __future__ import annotations

from typing import Any

import pytest

from batchd.domain.routing import PluginSpec, Route
from batchd.money.price_list import PriceList
from batchd.requests.param_rules import is_unlimited, limit_note, param_notes

pytestmark = pytest.mark.field("route refusals")

CHAT, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/embeddings"


def route(params: dict[str, Any], *, model: str = "small", endpoint: str = CHAT, prompt: str = "template") -> Route:
    """A route with these params."""
    return Route(
        name="reviews",
        match=("reviews/**",),
        provider="acme",
        model=model,
        endpoint=endpoint,
        params=params,
        prompt=PluginSpec(prompt),
    )


@pytest.mark.parametrize(
    ("params", "endpoint", "said"),
    [
        ({"temperature": 2.5}, CHAT, "is 2.5, and must be from 0 to 2"),
        ({"temperature": "0"}, CHAT, "is “0”, and must be a number: take the quotes away"),
        ({"top_p": True}, CHAT, "is true, and must be a number"),
        ({"max_tokens": 0}, CHAT, "is 0, and must be at least 1"),
        ({"max_tokens": 50.5}, CHAT, "is 50.5, and must be a whole number"),
        ({"max_output_tokens": 9}, CHAT, "is no key of /v1/chat/completions"),
        ({"max_tokens": 9}, RESPONSES, "write max_output_tokens"),
        ({"response_format": {}}, RESPONSES, "write text.format"),
        ({"temperature": 0}, EMBEDDINGS, "take it out"),
        ({"max_tokens": 9, "max_completion_tokens": 9}, CHAT, "Leave one out"),
        ({"top_logprobs": 3}, CHAT, "needs logprobs = true"),
        ({"temprature": 0}, CHAT, "Did you mean temperature?"),
        ({"maxtokens": 9}, CHAT, "Did you mean max_tokens?"),
        ({"extra_body": {"top_k": 3}}, CHAT, "is for OpenAI's Python library"),
    ],
)
def test_a_param_that_would_be_refused_is_named(params: dict[str, Any], endpoint: str, said: str) -> None:
    [sentence] = param_notes(route(params, endpoint=endpoint))
    assert said in sentence
    assert "[routes.reviews.params]" in sentence


@pytest.mark.parametrize(
    ("params", "endpoint"),
    [
        ({"temperature": 0, "max_tokens": 50, "top_p": 0.9, "seed": 1, "stop": ["."]}, CHAT),
        ({"top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "enable_thinking": False}, CHAT),
        ({"logprobs": True, "top_logprobs": 5, "max_tokens": 5}, CHAT),
        ({"max_output_tokens": 50, "reasoning": {"effort": "low"}, "text": {}}, RESPONSES),
        ({"dimensions": 256, "encoding_format": "float"}, EMBEDDINGS),
        ({"a_key_of_its_own": 1}, CHAT),
    ],
)
def test_what_may_be_right_is_not_judged(params: dict[str, Any], endpoint: str) -> None:
    assert list(param_notes(route(params, endpoint=endpoint))) == []


def test_a_model_and_its_endpoint_say_it_once() -> None:
    sentences = list(param_notes(route({"max_tokens": 9}, model="o3", endpoint=RESPONSES)))
    assert len(sentences) == 1
    assert "write max_output_tokens" in sentences[0]
    assert "o3 is known to refuse temperature" in next(param_notes(route({"temperature": 0}, model="o3")))


def test_a_limit_above_what_the_model_takes_is_named() -> None:
    published = PriceList({}, known="https://api.openai.com/v1")
    said = limit_note(route({"max_tokens": 200_000}, model="gpt-4o"), published.context)
    assert said is not None
    assert "max_tokens = 200,000" in said
    assert "128,000 tokens" in said
    assert limit_note(route({"max_tokens": 16_000}, model="gpt-4o"), published.context) is None
    assert limit_note(route({"max_tokens": 10**9}, model="my-own"), published.context) is None
    assert limit_note(route({"max_tokens": 10**9}, model="my-own"), PriceList({}).context) is None


@pytest.mark.parametrize(
    ("params", "endpoint", "prompt", "unlimited"),
    [
        ({}, CHAT, "template", True),
        ({"max_tokens": 5}, CHAT, "template", False),
        ({"max_output_tokens": 5}, RESPONSES, "template", False),
        ({}, EMBEDDINGS, "template", False),
        # Its lines, or the builder, may set one.
        ({}, CHAT, "passthrough", False),
        ({}, CHAT, "mine", False),
    ],
)
def test_a_route_without_a_limit_is_known(params: dict[str, Any], endpoint: str, prompt: str, unlimited: bool) -> None:
    assert is_unlimited(route(params, endpoint=endpoint, prompt=prompt)) is unlimited
