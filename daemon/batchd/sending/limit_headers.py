"""What the headers of answers that tell limits mean: of calls or of tokens, and in which time."""

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
"""As OpenAI and most others write them."""
_SECONDS = {"second": 1.0, "minute": 60.0}
# A day's limit says nothing about the pace: it may be used in an hour, and what is too much is refused.


def told(headers: Mapping[str, str], meanings: Mapping[str, LimitHeader]) -> Iterator[tuple[Kind, float]]:
    """The amounts a second that an answer's headers allow."""
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
