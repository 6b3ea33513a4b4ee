"""What was spent: sums by day, month, route, model, provider or job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..money.budget import Ceilings, Limit, SpendingLimits, beginnings, counted, limits_for
from ..money.pricing import unit
from ..store.reading.history import account
from ..store.reading.snapshot import snapshot
from ..store.reading.spending import GROUPS as GROUPS
from ..store.reading.spending import Spent as Spent
from ..store.reading.spending import spending
from .places import Places

USUAL = 30 * 86_400.0
"""Seconds to look back, unless said otherwise."""


def sums(state: Path, by: str, *, since: float | None = None) -> Sequence[Spent]:
    """The sums since `since`, or of about the last month; days, months and jobs in order, the others dearest first."""
    return spending(state, by, since=usual_beginning(by, time.time()) if since is None else since)


def usual_beginning(by: str, now: float) -> float:
    """The beginning of a day or month, about USUAL ago: the sum of a part of one would be taken for the whole."""
    day, month = beginnings(now - USUAL)
    return month if by == "month" else day


def limits(places: Places, now: float) -> Sequence[Limit]:
    """The limits of days and months in the configuration, with what is spent and reserved of each."""
    found: list[Limit] = []
    with snapshot(places.state) as past:
        for (section, name), table in places.budgets.items():
            per_day, per_month = (_amount(table.get(key), places.currency) for key in ("per_day", "per_month"))
            ceilings = Ceilings(per_day=per_day, per_month=per_month)
            if not ceilings:
                continue
            provider, route = (name if section == each else "" for each in ("providers", "routes"))
            budget = SpendingLimits(
                overall=ceilings if not section else Ceilings(),
                providers={name: ceilings} if provider else {},
                routes={name: ceilings} if route else {},
            )
            found += limits_for(budget, provider, route, account(past, route, provider, places.currency, now))
    return found


def _amount(written: Any, currency: str) -> int | None:
    """The amount in subunits; None if it is no amount: `batchd check` says what is wrong with it."""
    with suppress(ArithmeticError, ValueError):
        if isinstance(written, int | float):
            return counted(written, currency)
    return None


def records(by: str, sums: Sequence[Spent], limits: Sequence[Limit], currency: str) -> list[dict[str, Any]]:
    """The sums for `--json`. Routes and providers have their limits, also those for which nothing was spent."""
    if by not in {"route", "provider"}:
        return [record(by, each) for each in sums]
    used: dict[str, list[dict[str, Any]]] = {}
    for limit in limits:
        section, _, rest = limit.name.removeprefix("[").partition(".")
        if section == f"{by}s":
            used.setdefault(rest.rpartition(".budget]")[0], []).append(limit_record(limit, currency))
    names = {each.name for each in sums}
    nothing = [Spent(name, currency, *[0] * 11) for name in used if name not in names]
    return [
        {**record(by, each), **({"limits": used[each.name]} if each.name in used else {})} for each in (*sums, *nothing)
    ]


def limit_record(limit: Limit, currency: str) -> dict[str, Any]:
    """One limit for `--json`."""
    amounts = {"allowed": limit.allowed, "spent": limit.spent, "reserved": limit.reserved}
    return {"limit": limit.name} | {name: amount / unit(currency) for name, amount in amounts.items()}


def record(by: str, spent: Spent) -> dict[str, Any]:
    """One sum for `--json` and CSV. Money is in units of the currency."""
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
