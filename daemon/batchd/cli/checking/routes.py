"""What `batchd check` says about routes from the configuration alone: prices, budgets, refused params, fallbacks."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ...config.load import Config
from ...domain.routing import Route
from ...money.price_list import PriceList
from ...money.pricing import amount
from ...requests.model_params import LIMIT_KEYS, is_known, limit_key
from ...requests.param_rules import SMALL_CONTEXT, is_unlimited, limit_note, param_notes
from ...status.formatting import join
from ...values import replace
from .result import CheckResult, note, ok


def asked_of(config: Config, provider: str) -> Iterator[tuple[Route, str]]:
    """Yield the routes that use this provider, first or as their fallback, each with the subject of its results."""
    for route in config.routes:
        if route.provider == provider:
            yield route, f"route {route.name}"
        if route.fallback == provider:
            model = route.fallback_model or route.model
            yield replace(route, provider=provider, model=model), f"route {route.name}, at its fallback {provider}"


def price_results(config: Config, provider: str, prices: PriceList, now: float) -> Iterator[CheckResult]:
    """Note routes whose cost is not known: with a budget, all their jobs will be held."""
    for route, subject in asked_of(config, provider):
        if prices.terms(route.model, now) is not None:
            continue
        if not config.spending_limits().limits(provider, route.name):
            what = "What its jobs cost will not be known. "
        elif route.fallback == provider:
            what = "There is a budget, so nothing goes there until somebody approves it. "
        else:
            what = "There is a budget, so each of its jobs will be held until somebody approves it. "
        yield note(subject, f"{what}{prices.unknown(provider, route.model)}")


def param_results(config: Config, provider: str, prices: PriceList) -> Iterator[CheckResult]:
    """Params of the provider's routes that would be refused with every row, or would hold every job."""
    limits = config.spending_limits()
    for route, subject in asked_of(config, provider):
        notes = list(param_notes(route))
        too_long = limit_note(route, prices.context)
        for text in [*notes, *([too_long] if too_long else [])]:
            yield note(subject, text)
        yield from _not_compared(route, subject, prices)
        if route.fallback != provider and limits.limits(provider, route.name) and is_unlimited(route):
            text = (
                f"The route {route.name} sets no limit to its answers, so the most that a job can cost is not known, "
                f"and each will be held until somebody approves it. Set max_tokens in [routes.{route.name}.params]."
            )
            yield note("budget", text)


def _not_compared(route: Route, subject: str, prices: PriceList) -> Iterator[CheckResult]:
    """Note what could not be checked, since batchd does not know the model."""
    unknown = []
    others = [key for key in route.params if key not in LIMIT_KEYS]
    if others and not is_known(route.model):
        unknown.append(f"whether it takes {join(others)}")
    limit = route.params.get(limit_key(route.model, route.params, endpoint=route.endpoint))
    if isinstance(limit, int) and limit > SMALL_CONTEXT and prices.context(route.model) is None:
        unknown.append(f"whether it can answer with {limit:,} tokens")
    if unknown:
        text = f"batchd does not know the model {route.model}, so it did not check {' and '.join(unknown)}."
        yield note(subject, text)


_USUAL_TIERS = frozenset({"auto", "default", "standard", "standard_only"})


def lane_results(config: Config, provider: str, prices: PriceList) -> Iterator[CheckResult]:
    """Routes whose live calls have other prices than most, and routes with a service tier of unknown price."""
    for route, subject in asked_of(config, provider):
        chosen = [lane.in_words for lane in prices.lanes if lane.is_chosen(route.params)]
        tier = route.params.get("service_tier")
        if chosen:
            text = f"Its live calls are counted at other prices than most: {'; '.join(chosen)}."
            yield ok(subject, text)
        elif isinstance(tier, str) and tier not in _USUAL_TIERS:
            text = (
                f'Its params say service_tier = "{tier}", whose price batchd does not know: it counts the usual one. '
                f"Say what it takes off, or adds, in [[providers.{provider}.lanes]]."
            )
            yield note(subject, text)


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
        yield ok(subject, f"Its budget is {amounts}. A job that could cost more {then}.")
        provider = (f"[providers.{route.provider}.budget]", limits.providers.get(route.provider))
        for table, other in (("[budget]", limits.overall), provider):
            for key, limit in allowed.items():
                less = getattr(other, key, None)
                if less is not None and less < limit:
                    text = (
                        f"{key} = {amount(limit, currency)} in [routes.{route.name}.budget] is never reached: "
                        f"{table} allows {amount(less, currency)}."
                    )
                    yield note(subject, text)


def models_of(config: Config, provider: str) -> list[str]:
    """The models that routes use at this provider, also as their fallback."""
    return sorted({route.model for route, _ in asked_of(config, provider)})


def fallback_results(config: Config) -> Iterator[CheckResult]:
    """The routes whose rows may go to another company, and to which."""
    for route in config.routes:
        if route.fallback is None:
            continue
        when = []
        if route.finish_within is not None:
            when.append("would be late")
        if route.fallback_after is not None:
            when.append(f"wait for {route.provider} for longer than fallback_after")
        text = (
            f"Rows that {' or '.join(when)} go to another company: {_company(config, route.fallback)} "
            f"(fallback, model {route.fallback_model or route.model})."
        )
        yield note(f"route {route.name}", text)


def deadline_results(config: Config) -> Iterator[CheckResult]:
    """Routes whose deadline changes nothing, since they use live calls in any case."""
    for route in config.routes:
        live = config.providers[route.provider].mode == "live"
        if route.finish_within is not None and live and route.fallback is None:
            text = (
                f"finish_within changes nothing: {route.provider} is asked by live calls from the beginning. To have "
                'what would be late asked elsewhere, write fallback = "NAME", the name of another provider.'
            )
            yield note(f"route {route.name}", text)


def _company(config: Config, provider: str) -> str:
    """The provider's table in the configuration, with the host of its address if that is known."""
    address = config.providers[provider].settings.get("base_url")
    host = urlsplit(address).hostname if isinstance(address, str) else None
    return f"[providers.{provider}]" if host is None else f"{host}, which is [providers.{provider}]"
