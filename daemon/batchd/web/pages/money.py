"""What was spent, by day, route and model; and what is left of the budget."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from ...delivery.charts import bars, columns
from ...status import spending
from ..rendering import PageView, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from ...money.budget import Limit
    from ...status.spending import Spent
    from ..desk import Desk

DAYS = 30
MAX_BARS = 12


class _Chart(Struct, frozen=True):
    """A chart and the sums that it draws, dearest first, or latest day first. `svg` is empty if nothing was spent."""

    key: str
    svg: str
    sums: Sequence[Spent]


async def show(desk: Desk, request: web.Request) -> web.StreamResponse:
    def build(page: PageView) -> bytes:
        now = time.time()
        places = page.setting.places
        currency = places.currency
        by = {name: spending.sums(places.state, name) for name in ("day", "route", "model")}
        charts = [_days(page, by["day"], currency, now)]
        charts += [_ranking(page, name, by[name], currency) for name in ("route", "model")]
        return page.render(
            "spending.jinja",
            now,
            charts=charts,
            currency=currency,
            limits=spending.limits(places, now),
            limit_share=_share,
            spent=sum(each.cost for each in by["day"] if each.currency in ("", currency)),
            saved=sum(each.live_cost - each.cost for each in by["day"] if each.currency == currency),
            unpriced=sum(each.unpriced for each in by["day"]),
            others=sorted({each.currency for each in by["day"]} - {"", currency}),
        )

    return await rendered(desk, request, build)


def _days(page: PageView, sums: Sequence[Spent], currency: str, now: float) -> _Chart:
    """The chart of days. A day on which nothing was spent has a column, too."""
    costs = Counter[str]()  # a day has a sum for each currency, and one without: of answers whose price is not known
    for each in sums:
        if each.currency in ("", currency):
            costs[each.name] += each.cost
    today = datetime.fromtimestamp(now, UTC).date()
    days = [(today - timedelta(days=back)).isoformat() for back in reversed(range(DAYS + 1))]
    words = page.words(now)
    values = [(page.language.day(date.fromisoformat(day)), costs[day]) for day in days]
    svg = ""
    if any(costs.values()):
        label = words.say("chart_day")
        # One for narrow screens and one for wide screens: page.css shows one of them.
        svg = "".join(columns(values, label=label, write=words.plain_money, narrow=each) for each in (True, False))
    return _Chart("day", svg, list(sums)[::-1])


def _ranking(page: PageView, key: str, sums: Sequence[Spent], currency: str) -> _Chart:
    paid = [(each.name, each.cost) for each in sums if each.cost and each.currency == currency][:MAX_BARS]
    words = page.words(0.0)
    svg = bars(paid, label=words.say(f"chart_{key}"), write=words.plain_money) if paid else ""
    return _Chart(key, svg, sums)


def _share(limit: Limit) -> int:
    """How much of the limit is spent or reserved, in thousandths."""
    return min(1000, 1000 * (limit.spent + limit.reserved) // limit.allowed) if limit.allowed else 1000
