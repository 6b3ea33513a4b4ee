"""Params of a route that would be refused with every row: by its model, or by any service with such an endpoint.

`check` and `estimate` report them before anything is sent. A key that batchd does not know is not judged, since
services have keys of their own, unless it is nearly a key that batchd knows.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from ..domain.routing import Route
from ..model import Json
from .model_params import LIMIT_KEYS, limit_key, refused_params
from .rules import operation, shown


class _Range(Struct, frozen=True):
    low: float
    high: float | None
    whole: bool = False

    def why_not(self, value: Json) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"is {shown(value)}, and must be a number{_without_quotes(value)}"
        if self.whole and not isinstance(value, int):
            return f"is {value}, and must be a whole number"
        if self.high is None:
            return None if value >= self.low else f"is {value}, and must be at least {self.low:g}"
        return None if self.low <= value <= self.high else f"is {value}, and must be from {self.low:g} to {self.high:g}"


def _without_quotes(value: Json) -> str:
    return ": take the quotes away" if isinstance(value, str) and value.replace(".", "", 1).isdecimal() else ""


_RANGES: Mapping[str, _Range] = {
    "temperature": _Range(0, 2),
    "top_p": _Range(0, 1),
    "presence_penalty": _Range(-2, 2),
    "frequency_penalty": _Range(-2, 2),
    "top_logprobs": _Range(0, 20, whole=True),
    "n": _Range(1, None, whole=True),
    **{key: _Range(1, None, whole=True) for key in LIMIT_KEYS},
}
_OF_OTHERS: Mapping[str | None, Mapping[str, str]] = {
    "/chat/completions": {
        "max_output_tokens": "write max_completion_tokens, or max_tokens for services that do not know it",
        "input": "the prompt writes messages",
        "instructions": "write it as system in the prompt",
    },
    "/responses": {
        "max_tokens": "write max_output_tokens",
        "max_completion_tokens": "write max_output_tokens",
        "response_format": "write text.format",
        "reasoning_effort": "write reasoning.effort",
    },
    "/embeddings": dict.fromkeys(("temperature", "top_p", *LIMIT_KEYS), "embeddings have no such key: take it out"),
}
"""Keys that an endpoint does not have, and what to write."""
_OF_A_LIBRARY = frozenset({"extra_body", "extra_headers", "extra_query", "timeout", "request_timeout"})
# fmt: off
_KNOWN = frozenset((
    *_RANGES, "messages", "audio", "logit_bias", "logprobs", "metadata", "modalities", "parallel_tool_calls",
    "prediction", "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "seed",
    "service_tier", "stop", "store", "stream", "stream_options", "tool_choice", "tools", "user", "verbosity",
    "web_search_options",
    "include", "instructions", "reasoning", "text", "truncation", "dimensions", "encoding_format", "input",
    "min_tokens", "min_p", "top_k", "top_a", "repetition_penalty", "repeat_penalty", "stop_token_ids", "ignore_eos",
    "enable_thinking", "thinking", "thinking_budget", "chat_template_kwargs", "guided_json", "structured_outputs",
    "provider", "models", "transforms", "safe_prompt", "random_seed", "best_of", "length_penalty", "use_beam_search",
))
# fmt: on
_NEARLY = 0.85
SMALL_CONTEXT = 4_096
"""Tokens that every model of today takes: smaller limits need no look at what is published."""


def param_notes(route: Route) -> Iterator[str]:
    """A sentence for each param that would be refused with every row."""
    params, what = route.params, operation(route.endpoint)
    place = f"[routes.{route.name}.params]"
    others = _OF_OTHERS.get(what, {})
    for sentence in refused_params(route.model, params, route=route.name):
        # A key that the endpoint does not have is reported once, below.
        if not any(f"refuse {key} = " in sentence for key in others):
            yield sentence
    for key, value in params.items():
        if key in others:
            yield f"{key} in {place} is no key of {route.endpoint}, so every row could fail: {others[key]}."
        elif key in _RANGES and value is not None and (why := _RANGES[key].why_not(value)) is not None:
            yield f"{key} in {place} {why}. Most services refuse anything else, so every row would fail."
        elif key in _OF_A_LIBRARY:
            yield f"{key} in {place} is for OpenAI's Python library; services refuse it. Write its keys into params."
        elif key not in _KNOWN and (near := difflib.get_close_matches(key, _KNOWN, n=1, cutoff=_NEARLY)):
            yield f"{key} in {place} is no key that batchd knows, and services may refuse it. Did you mean {near[0]}?"
    if what == "/chat/completions":
        if params.get("max_tokens") is not None and params.get("max_completion_tokens") is not None:
            yield f"max_tokens and max_completion_tokens are both in {place}, and services refuse that. Leave one out."
        if params.get("top_logprobs") and not params.get("logprobs"):
            yield f"top_logprobs in {place} needs logprobs = true beside it."


def limit_note(route: Route, context_of: Callable[[str], int | None]) -> str | None:
    """What is wrong with the limit of the answers. `context_of` returns how many tokens a model takes in all."""
    key = limit_key(route.model, route.params, endpoint=route.endpoint)
    limit = route.params.get(key)
    if type(limit) is not int or limit <= SMALL_CONTEXT:
        return None
    context = context_of(route.model)
    if context is None or limit <= context:
        return None
    return (
        f"{key} = {limit:,} in [routes.{route.name}.params] is more than {route.model} takes with question and answer, "
        f"{context:,} tokens. Services refuse that, so every row would fail."
    )


def is_unlimited(route: Route) -> bool:
    """Whether nothing in the route limits what its answers cost, as far as can be told before a file is there."""
    writes = operation(route.endpoint) in {"/chat/completions", "/responses", "/completions"}
    return writes and route.prompt.kind == "template" and not any(route.params.get(key) for key in LIMIT_KEYS)
