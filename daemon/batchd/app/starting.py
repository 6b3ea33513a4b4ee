"""What the log says at the start of a daemon: its version, its routes, its budget and the plugins of others."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from ..config.load import Config
from ..domain.routing import Route
from ..events import count
from ..money.pricing import amount
from ..plugin.catalogue import Catalogue
from ..plugin.sources import is_ours

MAX_ROUTES = 10
"""Routes that are named one by one."""

_PERIODS = {"per_job": "a job", "per_day": "a day", "per_month": "a month"}


def starting(config: Config, catalogue: Catalogue) -> Iterator[str]:
    yield f"batchd {version('batchd')} with {config.path}."
    for route in config.routes[:MAX_ROUTES]:
        yield _of_route(config, route)
    if len(config.routes) > MAX_ROUTES:
        yield f"And {count(len(config.routes) - MAX_ROUTES, 'more route')}."
    overall, currency = config.spending_limits().overall, config.budget.currency
    limits = [(getattr(overall, name), period) for name, period in _PERIODS.items()]
    most = [f"{amount(limit, currency)} {currency} {period}" for limit, period in limits if limit is not None]
    yield f"Budget: at most {', '.join(most)}." if most else "There is no budget for all routes together."
    others = {offer.distribution or offer.where for offer in catalogue.offers if not is_ours(offer.distribution)}
    if others:
        yield f"Plugins of others: {', '.join(sorted(others))}."


def _of_route(config: Config, route: Route) -> str:
    mode = config.providers[route.provider].mode
    how = {"batch": "in batches", "live": "by live calls"}.get(mode, "in batches, or by live calls if it has none")
    return f"Route {route.name} takes {', '.join(route.match)} and asks {route.model} of {route.provider} {how}."
