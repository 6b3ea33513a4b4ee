"""What was spent, out of the database: sums by day, month, route, model, provider or job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from ..tables.sums import with_money
from .snapshot import snapshot

GROUPS = {
    "day": "strftime('%Y-%m-%d', spending.at, 'unixepoch')",
    "month": "strftime('%Y-%m', spending.at, 'unixepoch')",
    "route": "spending.route",
    "model": "spending.provider || '/' || spending.model",
    "provider": "spending.provider",
    "job": "spending.job || COALESCE(' ' || jobs.source, '')",
}
"""What sums can be grouped by. Days and months are those of UTC, as providers bill."""

_SUMS = """
SELECT {name} AS name, MAX(spending.currency) AS currency, SUM(answers) AS answers,
       SUM(input_tokens) AS input_tokens, SUM(cached_tokens) AS cached_tokens, SUM(output_tokens) AS output_tokens,
       SUM(wasted_input) AS wasted_input, SUM(wasted_output) AS wasted_output,
       COALESCE(MONEY(cost), 0) AS cost, COALESCE(MONEY(wasted_cost), 0) AS wasted_cost,
       COALESCE(MONEY(live_cost), 0) AS live_cost, COALESCE(SUM(answers) FILTER (WHERE cost IS NULL), 0) AS unpriced,
       SUM(estimated) AS estimated
FROM spending LEFT JOIN jobs ON jobs.id = spending.job
WHERE spending.at >= :since
GROUP BY {name}, NULLIF(spending.currency, '')
ORDER BY {order}
"""


class Spent(Struct, frozen=True):
    """One sum. Money is in subunits of the currency; `unpriced` answers have no known price and are in no sum of money.
    The service did not count the tokens of `estimated` answers: for them, the planned tokens stand.

    `wasted_…` is the part that answered no row; `live_cost` is what the same would have cost in live calls.
    """

    name: str
    currency: str
    answers: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    wasted_input: int
    wasted_output: int
    cost: int
    wasted_cost: int
    live_cost: int
    unpriced: int
    estimated: int


def spending(state: Path, by: str, *, since: float) -> Sequence[Spent]:
    """The sums since this moment; days, months and jobs in order, the others dearest first."""
    # Ids of jobs are random, so jobs are in the order of their first answers.
    order = {"day": "name", "month": "name", "job": "MIN(spending.at), name"}.get(by, "cost DESC, name")
    with snapshot(state) as look:
        rows = look.rows(with_money(_SUMS).format(name=GROUPS[by], order=order), since=since)
        return [Spent(**dict(row)) for row in rows]
