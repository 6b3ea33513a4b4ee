"""What `batchd check` says of routes by the configuration alone: their budgets."""

from __future__ import annotations

from collections.abc import Iterator

from ..config.load import Config
from ..money.pricing import amount
from .check_result import CheckResult, Level

_PERIODS = {"per_job": "a job", "per_day": "a day", "per_month": "a month"}


def budget_results(config: Config) -> Iterator[CheckResult]:
    """The budget of each route that has one, and limits in it that are never reached."""
    limits = config.spending_limits()
    currency = limits.currency
    for route in config.routes:
        own, subject = limits.routes.get(route.name), f"route {route.name}"
        if not own:
            continue
        allowed = {key: limit for key in _PERIODS if (limit := getattr(own, key)) is not None}
        amounts = ", ".join(f"{amount(limit, currency)} {currency} {_PERIODS[key]}" for key, limit in allowed.items())
        then = "waits for room" if (own.beyond or limits.beyond) == "wait" else "is held until somebody approves it"
        if set(allowed) == {"per_job"}:
            then = "is held until somebody approves it"
        yield CheckResult(subject, Level.OK, f"Its budget is {amounts}. A job that could cost more {then}.")
        provider = (f"[providers.{route.provider}.budget]", limits.providers.get(route.provider))
        for table, other in (("[budget]", limits.overall), provider):
            for key, limit in allowed.items():
                less = getattr(other, key, None)
                if less is not None and less < limit:
                    text = (
                        f"{key} = {amount(limit, currency)} in [routes.{route.name}.budget] is never reached: "
                        f"{table} allows {amount(less, currency)}."
                    )
                    yield CheckResult(subject, Level.NOTE, text)
