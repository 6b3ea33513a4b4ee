"""Params that models are known to refuse, as data. `check` and `estimate` report them before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from ..model import Json

LIMIT_KEYS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""The keys that limit the tokens of an answer. A request has one of them."""


class _Refused(Struct, frozen=True):
    """A key that some models refuse, unless its value is in `taken`; and what to write instead."""

    key: str
    instead: str
    taken: Sequence[Json] = ()


_REASONING = re.compile(r"(?:^|[/:.])(?:gpt-5|o[134])(?:$|[-.@:_])(?!.*\bchat\b)", re.IGNORECASE)
"""Models that think before they answer, by their names at OpenAI, Azure and gateways; not their chat variants."""
_KNOWN: Mapping[re.Pattern[str], tuple[_Refused, ...]] = {
    _REASONING: (
        _Refused("max_tokens", "write max_completion_tokens instead"),
        _Refused("temperature", "only 1, the default, is taken: take it out", [1]),
        _Refused("top_p", "only 1, the default, is taken: take it out", [1]),
        _Refused("presence_penalty", "take it out", [0, None]),
        _Refused("frequency_penalty", "take it out", [0, None]),
        _Refused("logprobs", "take it out", [False, None]),
        _Refused("top_logprobs", "take it out"),
        _Refused("logit_bias", "take it out"),
        _Refused("n", "only 1 is taken: take it out", [1]),
    ),
    re.compile(r"(?:^|/)deepseek-reasoner$", re.IGNORECASE): (
        _Refused("logprobs", "take it out", [False, None]),
        _Refused("top_logprobs", "take it out"),
    ),
}
_WITHOUT_THINKING = re.compile(r"(?:^|[/:.])gpt-5\.\d", re.IGNORECASE)
"""Models that take the keys below if reasoning_effort = "none"."""
_WITHOUT_THINKING_KEYS = frozenset({"temperature", "top_p", "logprobs", "top_logprobs"})


def refused_params(model: str, params: Mapping[str, Json], *, route: str) -> Iterator[str]:
    """A sentence for each of these params that the model is known to refuse."""
    thinks_not = params.get("reasoning_effort") == "none" and _WITHOUT_THINKING.search(model)
    for pattern, refused in _KNOWN.items():
        if not pattern.search(model):
            continue
        for each in refused:
            if thinks_not and each.key in _WITHOUT_THINKING_KEYS:
                continue
            if each.key in params and params[each.key] not in each.taken:
                yield (
                    f"{model} is known to refuse {each.key} = {params[each.key]}, so every row would fail: in "
                    f"[routes.{route}.params], {each.instead}."
                )


def is_known(model: str) -> bool:
    """Whether anything is known of the params that the model refuses."""
    return any(pattern.search(model) for pattern in _KNOWN)


def limit_key(model: str, params: Mapping[str, Json], *, endpoint: str) -> str:
    """The key that limits the answers of a route: the one in its params, else the one that its model takes."""
    named = next((key for key in LIMIT_KEYS if key in params), None)
    if named is not None:
        return named
    if endpoint == "/v1/responses":
        return "max_output_tokens"
    return "max_completion_tokens" if _REASONING.search(model) else "max_tokens"
