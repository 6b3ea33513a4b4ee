"""What `batchd check` says of routes by the configuration alone: their budgets, and params that would be refused."""

from __future__ import annotations

from collections.abc import Iterator

from ..config.load import Config
from ..money.price_list import PriceList
from ..money.pricing import amount
from ..requests.param_rules import is_unlimited, limit_note, param_notes
from .check_result import CheckResult, Level


def param_results(config: Config, provider: str, prices: PriceList) -> Iterator[CheckResult]:
    """Params of the provider's routes that would be refused with every row, or would hold every job."""
    limits = config.spending_limits()
    for route in config.routes:
        if route.provider != provider:
            continue
        notes = list(param_notes(route))
        too_long = limit_note(route, prices.context)
        for note in [*notes, *([too_long] if too_long else [])]:
            yield CheckResult(f"route {route.name}", Level.NOTE, note)
        if limits.limits(provider, route.name) and is_unlimited(route):
            text = (
                f"The route {route.name} sets no limit to its answers, so the most that a job can cost is not known, "
                f"and each will be held until somebody approves it. Set max_tokens in [routes.{route.name}.params]."
            )
            yield CheckResult("budget", Level.NOTE, text)


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
