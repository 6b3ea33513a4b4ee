"""Reads the limits in the headers of answers: of requests or of tokens, a second, a minute or a day."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

LimitHeader = Literal[
    "requests a second", "requests a minute", "requests a day", "tokens a second", "tokens a minute", "tokens a day"
]
Kind = Literal["requests", "tokens"]
"""What is limited."""

USUAL: Mapping[str, LimitHeader] = {
    "x-ratelimit-limit-requests": "requests a minute",
    "x-ratelimit-limit-tokens": "tokens a minute",
}
"""The headers of OpenAI and most others."""
_SECONDS = {"second": 1.0, "minute": 60.0}
# A limit a day says nothing about the pace: it may be used up in an hour, and calls beyond it are refused.


def told(headers: Mapping[str, str], meanings: Mapping[str, LimitHeader]) -> Iterator[tuple[Kind, float]]:
    """Yield the amounts a second that an answer's headers allow."""
    for name, meaning in meanings.items():
        text = headers.get(name)
        kind, _, unit = meaning.partition(" a ")
        if text is None or unit not in _SECONDS:
            continue
        try:
            limit = float(text)
        except ValueError:
            continue
        if limit > 0 and math.isfinite(limit):
            yield ("requests" if kind == "requests" else "tokens"), limit / _SECONDS[unit]
