"""Token counts in every form that services write them in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Any

MAX_TOKENS = 20_000_000
"""No request of today can use so many tokens. A service that claims more has not counted."""

_INPUT = ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount", "prompt_token_count")
_OUTPUT = (
    "completion_tokens", "output_tokens", "completionTokens", "outputTokens", "candidatesTokenCount",
    "candidates_token_count",
)  # fmt: skip
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount", "total_token_count")
_CACHED = (
    "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens", "cache_read_tokens", "cached_input_tokens",
    "cachedContentTokenCount", "cached_content_token_count", "cachedTokens", "cacheReadInputTokens",
)  # fmt: skip
_INPUT_DETAILS = (
    "prompt_tokens_details", "input_tokens_details", "promptTokensDetails", "inputTokensDetails", "input_token_details",
    "prompt_token_details",
)  # fmt: skip
_THINKING = ("reasoning_tokens", "thoughtsTokenCount", "thoughts_token_count", "reasoningTokens", "thinking_tokens")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details", "outputTokensDetails", "output_token_details")
_CACHE_WRITES = ("cache_creation_input_tokens", "cacheCreationInputTokens")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request or many. `cached_tokens` is the part of `input_tokens` served from a cache.

    `cache_writes` is the part that was written to one, `long_writes` the part of that which stays for an hour.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cache_writes: int = 0
    long_writes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_writes + other.cache_writes,
            self.long_writes + other.long_writes,
        )


@dataclass(frozen=True, slots=True)
class BilledTokens:
    """What a service counted; None for what it did not say, or cannot have meant."""

    input_tokens: int | None = None
    cached_tokens: int = 0
    output_tokens: int | None = None
    cache_writes: int = 0
    long_writes: int = 0

    def whole(self) -> Usage | None:
        """The usage, None if a part of it is not known."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return Usage(self.input_tokens, self.cached_tokens, self.output_tokens, self.cache_writes, self.long_writes)

    def at_least(self, planned: Usage) -> Usage:
        """The usage with what was planned where the service said nothing; never less than what it did say."""
        return Usage(
            planned.input_tokens if self.input_tokens is None else self.input_tokens,
            self.cached_tokens,
            planned.output_tokens if self.output_tokens is None else self.output_tokens,
            self.cache_writes,
            self.long_writes,
        )


NOTHING = BilledTokens()

_USUAL = frozenset(
    ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
)
_USUAL_DETAILS = frozenset(
    (
        "cached_tokens", "audio_tokens", "reasoning_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens",
        "text_tokens", "image_tokens",
    )
)  # fmt: skip


def count_tokens(usage: Json, *, most: int = MAX_TOKENS) -> BilledTokens:
    """The tokens in a `usage`, as far as it says. `most` is the highest number that is possible.

    Input tokens include the cached ones. Output tokens include the thinking, which some services only add to the
    total: what is billed is the total without the input. A whole request of no input tokens does not exist: services
    that do not count write zeros.

    >>> count_tokens({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 315}).whole()
    Usage(input_tokens=10, cached_tokens=0, output_tokens=305)
    """
    if type(usage) is dict and usage.keys() <= _USUAL and (usual := _usual(usage, most)) is not None:
        return usual
    if not isinstance(usage, Mapping):
        return NOTHING
    given = _first(usage, _INPUT, most)
    hits, misses = _first(usage, ("prompt_cache_hit_tokens",), most), _first(usage, ("prompt_cache_miss_tokens",), most)
    if hits is not None and misses is not None:
        given = max(given or 0, hits + misses)
    written = _first(usage, _OUTPUT, most)
    total = _first(usage, _TOTAL, most)
    cached = _cached(usage, most)
    if given is not None:
        given = _with_cache(usage, given, written, total, cached, most)
    if not given:
        # Without the input, a total says nothing certain about the output; but total minus output is the input.
        given = total - written if total is not None and written is not None and total > written else None
    output = _output(usage, given, written, total, most)
    if given is None:
        return BilledTokens(None, 0, output)
    cached = min(cached, given)
    writes, long = _writes(usage, most)
    writes = min(writes, given - cached)
    return BilledTokens(given, cached, output, writes, min(long, writes))


def _writes(usage: Mapping[str, Json], most: int) -> tuple[int, int]:
    """What was written to a cache, and the part of it that stays for an hour."""
    details = next((found for name in _INPUT_DETAILS if isinstance(found := usage.get(name), Mapping)), {})
    kept = usage.get("cache_creation")
    by_time = kept if isinstance(kept, Mapping) else {}
    short = _number(by_time.get("ephemeral_5m_input_tokens"), most) or 0
    long = _number(by_time.get("ephemeral_1h_input_tokens"), most) or 0
    whole = _first(usage, _CACHE_WRITES, most) or _first(details, ("cache_write_tokens",), most) or 0
    return max(whole, short + long), long


def _usual(usage: dict[str, Json], most: int) -> BilledTokens | None:
    """The tokens in a usage as OpenAI writes it, where nothing about it is odd: ten times as fast."""
    given, written, total = usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("total_tokens")
    if type(given) is not int or type(written) is not int or not (0 < given <= most and 0 < written <= most):
        return None
    if total is not None and total != given + written:
        return None
    cached, details = 0, usage.get("prompt_tokens_details")
    if details is not None:
        if type(details) is not dict or not details.keys() <= _USUAL_DETAILS:
            return None
        cached = details.get("cached_tokens", 0)
        if type(cached) is not int or not 0 <= cached <= given:
            return None
    details = usage.get("completion_tokens_details")
    if details is not None:
        if type(details) is not dict:
            return None
        thinking = details.get("reasoning_tokens", 0)
        if type(thinking) is not int or thinking > written or not details.keys() <= _USUAL_DETAILS:
            return None
    return BilledTokens(given, cached, written)


def read_usage(usage: Json, *, most: int = MAX_TOKENS) -> Usage | None:
    """The tokens in a `usage` of any service; None if they are not all known."""
    return count_tokens(usage, most=most).whole()


def _cached(usage: Mapping[str, Json], most: int) -> int:
    places: list[Mapping[str, Json]] = [usage]
    places += [details for name in _INPUT_DETAILS if isinstance(details := usage.get(name), Mapping)]
    found = [number for place in places for name in _CACHED if (number := _number(place.get(name), most))]
    # Where two places differ, the lower one: cached tokens are cheaper, and no cost must count as less than it is.
    return min(found, default=0)


def _with_cache(
    usage: Mapping[str, Json], given: int, written: int | None, total: int | None, cached: int, most: int
) -> int:
    """Return the input including cached tokens, which some services count separately, as Anthropic does."""
    beside = (_first(usage, ("cache_read_input_tokens", "cacheReadInputTokens"), most) or 0) + (
        _first(usage, _CACHE_WRITES, most) or 0
    )
    if not beside:
        return given + cached if cached > given else given
    if total is not None and written is not None:
        if total >= given + beside + written:
            return given + beside
        if total >= given + written and cached <= given:
            return given
    openai_style = any(name in usage for name in ("prompt_tokens", "promptTokens"))
    return given if openai_style and beside <= given else given + beside


def _output(
    usage: Mapping[str, Json], given: int | None, written: int | None, total: int | None, most: int
) -> int | None:
    places: list[Mapping[str, Json]] = [usage]
    places += [details for name in _OUTPUT_DETAILS if isinstance(details := usage.get(name), Mapping)]
    thinking = max(
        (number for place in places for name in _THINKING if (number := _number(place.get(name), most))), default=0
    )
    if written is not None and (thinking > written or "thoughtsTokenCount" in usage or "thoughts_token_count" in usage):
        written += thinking  # more than the output, or counted as Gemini does: not a part of the output
    if total is not None and given is not None and total >= given:
        return max(written or 0, total - given)
    return written


def _first(usage: Mapping[str, Json], names: tuple[str, ...], most: int) -> int | None:
    """The highest number under these names; services that write two of them mean the same."""
    best = None
    for name in names:
        number = _number(usage.get(name), most)
        if number is not None and (best is None or number > best):
            best = number
    return best


def _number(value: Json, most: int) -> int | None:
    """Return a count in any spelling; None if the value is no count."""
    if type(value) is int:
        return value if 0 <= value <= most else None
    if isinstance(value, str):
        text = value.strip().replace(",", "").replace("_", "")
        if not text or len(text) > 32:
            return None
        try:
            value = float(text)
        except ValueError:
            return None
    if isinstance(value, float) and math.isfinite(value) and 0 <= value <= most:
        return math.ceil(value)
    return None
