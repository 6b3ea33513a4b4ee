"""Shapes of `usage`, each with what the service bills."""

from __future__ import annotations

from typing import Any

from .form import Shape

_HIT = 2
"""Tokens of each prompt that come from a cache, in shapes with cached tokens."""
_THINKING = 300


def _usage(name: str, seen: str, summary: str, write: Any, *, cached: int = 0, thinking: int = 0) -> Shape:
    """A shape of `usage`, made by `write`. `cached` tokens of the input are cached; `thinking` ones are billed, too."""

    def count(given: int, written: int) -> tuple[Any, tuple[int, int, int]]:
        return write(given, written), (given, cached, written + thinking)

    return Shape(f"usage-{name}", seen, summary, count=count)


def _chat(given: Any, written: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": given, "completion_tokens": written, **more}


def _with_total(given: float, written: float, *, thinking: int = 0, **more: Any) -> dict[str, Any]:
    return _chat(given, written, total_tokens=given + written + thinking, **more)


USAGE = (
    _usage(
        "openai", "OpenAI", "prompt_tokens_details.cached_tokens",
        lambda i, o: _with_total(i, o, prompt_tokens_details={"cached_tokens": _HIT}), cached=_HIT,
    ),
    _usage(
        "responses", "OpenAI", "input_tokens and output_tokens with details",
        lambda i, o: {
            "input_tokens": i,
            "output_tokens": o,
            "total_tokens": i + o,
            "input_tokens_details": {"cached_tokens": _HIT},
        },
        cached=_HIT,
    ),
    _usage(
        "deepseek", "DeepSeek", "prompt_cache_hit_tokens and prompt_cache_miss_tokens",
        lambda i, o: _with_total(i, o, prompt_cache_hit_tokens=_HIT, prompt_cache_miss_tokens=i - _HIT), cached=_HIT,
    ),
    _usage(
        "cached-on-top", "Moonshot", "cached_tokens beside prompt_tokens",
        lambda i, o: _with_total(i, o, cached_tokens=_HIT), cached=_HIT,
    ),
    _usage(
        "xai", "xAI", "thinking outside of completion_tokens, in details and total",
        lambda i, o: _with_total(
            i, o, thinking=_THINKING, completion_tokens_details={"reasoning_tokens": _THINKING}
        ),
        thinking=_THINKING,
    ),
    _usage(
        "gemini", "Gemini", "thinking outside of completion_tokens, in the total alone",
        lambda i, o: _with_total(i, o, thinking=_THINKING), thinking=_THINKING,
    ),
    _usage(
        "anthropic", "relays to Anthropic", "cache_read_input_tokens beside input_tokens",
        lambda i, o: {
            "input_tokens": i - _HIT,
            "cache_read_input_tokens": _HIT,
            "cache_creation_input_tokens": 0,
            "output_tokens": o,
        },
        cached=_HIT,
    ),
    _usage(
        "relay-cache", "LiteLLM", "cache_read_input_tokens as a part of prompt_tokens",
        lambda i, o: _with_total(i, o, cache_read_input_tokens=_HIT, cache_creation_input_tokens=0), cached=_HIT,
    ),
    _usage(
        "cost", "OpenRouter", "a cost beside the tokens", lambda i, o: _with_total(i, o, cost=99.5, cost_usd=99.5)
    ),
    _usage("fractions", "relays", "numbers with a fraction", lambda i, o: _with_total(float(i), float(o))),
    _usage("texts", "relays", "numbers as text", lambda i, o: _chat(str(i), str(o), total_tokens=str(i + o))),
    _usage(
        "total", "relays", "completion_tokens is null, the total is there",
        lambda i, o: _chat(i, None, total_tokens=i + o),
    ),
    _usage("null", "many", "usage is null", lambda i, o: None),
    _usage("missing", "many", "no usage", lambda i, o: ...),
    _usage("empty", "relays", "usage is an empty object", lambda i, o: {}),
    _usage("zeros", "services that do not count", "zeros", lambda i, o: _with_total(0, 0)),
    _usage("negative", "none", "negative numbers", lambda i, o: _chat(-1, -o, total_tokens=-1)),
    _usage("huge", "none", "numbers beyond 64 bits", lambda i, o: _chat(i, 2**70, total_tokens=2**71)),
    _usage("half", "relays", "only prompt_tokens", lambda i, o: {"prompt_tokens": i}),
    _usage("words", "none", "words in place of numbers", lambda i, o: _chat("many", "few")),
)  # fmt: skip
