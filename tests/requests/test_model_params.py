"""What models are known to refuse is said before anything is sent, and advice names the key that a route has."""

from __future__ import annotations

from typing import Any

import pytest

from batchd.requests.model_params import limit_key, refused_params

pytestmark = pytest.mark.field("route refusals")


@pytest.mark.parametrize(
    ("model", "params", "refused"),
    [
        ("gpt-5", {"max_tokens": 9, "temperature": 0}, 2),
        ("gpt-5-mini-2025-08-07", {"temperature": 0.2}, 1),
        ("openai/gpt-5.1", {"top_p": 0.5}, 1),
        ("o3", {"max_tokens": 9}, 1),
        ("o4-mini", {"temperature": 1, "max_completion_tokens": 9}, 0),
        ("azure/o1-preview", {"presence_penalty": 0}, 0),
        ("gpt-5-chat-latest", {"max_tokens": 9, "temperature": 0}, 0),
        ("gpt-4o-mini", {"max_tokens": 9, "temperature": 0}, 0),
        ("gpt-5.2", {"temperature": 0, "reasoning_effort": "none"}, 0),
        ("gpt-5.2", {"temperature": 0, "reasoning_effort": "low"}, 1),
        ("gpt-5", {"temperature": 0, "reasoning_effort": "none"}, 1),
        ("deepseek-reasoner", {"logprobs": True, "temperature": 0}, 1),
        ("gpt-50", {"max_tokens": 9}, 0),
        ("qwen-o3x", {"max_tokens": 9}, 0),
    ],
)
def test_params_that_a_model_is_known_to_refuse(model: str, params: dict[str, Any], refused: int) -> None:
    sentences = list(refused_params(model, params, route="reviews"))
    assert len(sentences) == refused
    assert all("[routes.reviews.params]" in each for each in sentences)


@pytest.mark.parametrize(
    ("model", "params", "endpoint", "key"),
    [
        ("gpt-4o", {"max_tokens": 9}, "/v1/chat/completions", "max_tokens"),
        ("gpt-4o", {"max_completion_tokens": 9}, "/v1/chat/completions", "max_completion_tokens"),
        ("gpt-4o", {}, "/v1/chat/completions", "max_tokens"),
        ("gpt-5", {}, "/v1/chat/completions", "max_completion_tokens"),
        ("gpt-5", {}, "/v1/responses", "max_output_tokens"),
    ],
)
def test_the_key_that_limits_the_answers(model: str, params: dict[str, Any], endpoint: str, key: str) -> None:
    assert limit_key(model, params, endpoint=endpoint) == key
