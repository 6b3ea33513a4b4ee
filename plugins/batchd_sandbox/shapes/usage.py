"""Shapes of `usage`, each with what the service bills."""

from __future__ import annotations

from typing import Any

from .form import Count, Shape

_HIT = 2
"""Of each prompt, this many tokens come from a cache, where a shape has any."""
_THINKING = 300


def _same(write: Any, *, cached: int = 0, thinking: int = 0) -> Count:
    """The service bills the tokens of the answer, some of them cached, and its thinking."""

    def count(given: int, written: int) -> tuple[Any, tuple[int, int, int]]:
        return write(given, written), (given, cached, written + thinking)

    return count


def _chat(given: Any, written: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": given, "completion_tokens": written, **more}


USAGE = (
    Shape(
        "usage-openai",
        "OpenAI",
        "prompt_tokens_details.cached_tokens",
        count=_same(
            lambda i, o: _chat(i, o, total_tokens=i + o, prompt_tokens_details={"cached_tokens": _HIT}), cached=_HIT
        ),
    ),
    Shape(
        "usage-responses",
        "OpenAI",
        "input_tokens and output_tokens with details",
        count=_same(
            lambda i, o: {
                "input_tokens": i,
                "output_tokens": o,
                "total_tokens": i + o,
                "input_tokens_details": {"cached_tokens": _HIT},
            },
            cached=_HIT,
        ),
    ),
    Shape(
        "usage-deepseek",
        "DeepSeek",
        "prompt_cache_hit_tokens and prompt_cache_miss_tokens",
        count=_same(
            lambda i, o: _chat(
                i, o, total_tokens=i + o, prompt_cache_hit_tokens=_HIT, prompt_cache_miss_tokens=i - _HIT
            ),
            cached=_HIT,
        ),
    ),
    Shape(
        "usage-cached-on-top",
        "Moonshot",
        "cached_tokens beside prompt_tokens",
        count=_same(lambda i, o: _chat(i, o, total_tokens=i + o, cached_tokens=_HIT), cached=_HIT),
    ),
    Shape(
        "usage-xai",
        "xAI",
        "thinking outside of completion_tokens, in details and total",
        count=_same(
            lambda i, o: _chat(
                i, o, total_tokens=i + o + _THINKING, completion_tokens_details={"reasoning_tokens": _THINKING}
            ),
            thinking=_THINKING,
        ),
    ),
    Shape(
        "usage-gemini",
        "Gemini",
        "thinking outside of completion_tokens, in the total alone",
        count=_same(lambda i, o: _chat(i, o, total_tokens=i + o + _THINKING), thinking=_THINKING),
    ),
    Shape(
        "usage-anthropic",
        "relays to Anthropic",
        "cache_read_input_tokens beside input_tokens",
        count=_same(
            lambda i, o: {
                "input_tokens": i - _HIT,
                "cache_read_input_tokens": _HIT,
                "cache_creation_input_tokens": 0,
                "output_tokens": o,
            },
            cached=_HIT,
        ),
    ),
    Shape(
        "usage-relay-cache",
        "LiteLLM",
        "cache_read_input_tokens as a part of prompt_tokens",
        count=_same(
            lambda i, o: _chat(i, o, total_tokens=i + o, cache_read_input_tokens=_HIT, cache_creation_input_tokens=0),
            cached=_HIT,
        ),
    ),
    Shape(
        "usage-cost",
        "OpenRouter",
        "a cost beside the tokens",
        count=_same(lambda i, o: _chat(i, o, total_tokens=i + o, cost=99.5, cost_usd=99.5)),
    ),
    Shape(
        "usage-fractions",
        "relays",
        "numbers with a fraction",
        count=_same(lambda i, o: _chat(float(i), float(o), total_tokens=float(i + o))),
    ),
    Shape(
        "usage-texts",
        "relays",
        "numbers as text",
        count=_same(lambda i, o: _chat(str(i), str(o), total_tokens=str(i + o))),
    ),
    Shape(
        "usage-total",
        "relays",
        "completion_tokens is null, the total is there",
        count=_same(lambda i, o: _chat(i, None, total_tokens=i + o)),
    ),
    Shape("usage-null", "many", "usage is null", count=_same(lambda i, o: None)),
    Shape("usage-missing", "many", "no usage", count=_same(lambda i, o: ...)),
    Shape("usage-empty", "relays", "usage is an empty object", count=_same(lambda i, o: {})),
    Shape("usage-zeros", "services that do not count", "zeros", count=_same(lambda i, o: _chat(0, 0, total_tokens=0))),
    Shape("usage-negative", "none", "negative numbers", count=_same(lambda i, o: _chat(-1, -o, total_tokens=-1))),
    Shape(
        "usage-huge", "none", "numbers beyond 64 bits", count=_same(lambda i, o: _chat(i, 2**70, total_tokens=2**71))
    ),
    Shape("usage-half", "relays", "only prompt_tokens", count=_same(lambda i, o: {"prompt_tokens": i})),
    Shape("usage-words", "none", "words in place of numbers", count=_same(lambda i, o: _chat("many", "few"))),
)
