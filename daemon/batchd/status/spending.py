"""What was spent: sums by day, month, route, model, provider or job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..store.reading.spending import Spent as Spent
from ..store.reading.spending import spending

USUAL = 30 * 86_400.0
"""Seconds to look back, unless said otherwise."""


def sums(state: Path, by: str, *, since: float | None = None) -> Sequence[Spent]:
    """The sums since this moment, or of about the last month; days, months and jobs in order, else dearest first."""
    return spending(state, by, since=usual_beginning(by, time.time()) if since is None else since)


def usual_beginning(by: str, now: float) -> float:
    """Whole days, or months: the sum of a part of one would be taken for the whole."""
    from ..money.budget import beginnings

    day, month = beginnings(now - USUAL)
    return month if by == "month" else day


def record(by: str, spent: Spent) -> dict[str, Any]:
    """One sum for `--json` and CSV. Money is in units of the currency."""
    from ..money.pricing import unit

    one = unit(spent.currency)
    priced = spent.answers > spent.unpriced
    return {
        by: spent.name,
        "answers": spent.answers,
        "input_tokens": spent.input_tokens,
        "cached_input_tokens": spent.cached_tokens,
        "output_tokens": spent.output_tokens,
        "wasted_input_tokens": spent.wasted_input,
        "wasted_output_tokens": spent.wasted_output,
        "cost": spent.cost / one if priced else None,
        "wasted_cost": spent.wasted_cost / one if priced else None,
        "live_price": spent.live_cost / one if priced else None,
        "currency": spent.currency or None,
        "answers_of_unknown_price": spent.unpriced,
        "answers_of_estimated_usage": spent.estimated,
    }
