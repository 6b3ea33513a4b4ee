"""Sums of money in SQL that never need more than 64 bits."""

from __future__ import annotations

import re

from ...money.budget import MAX_AMOUNT

_MONEY = re.compile(r"MONEY\((\w+)(?:, (\w+))?(?: WHERE ([^()]*))?\)")


def with_money(query: str) -> str:
    """The query with each `MONEY(column WHERE …)` written out: an exact sum that stops at MAX_AMOUNT.

    SUM fails for good once a sum needs more than 64 bits, which a service that claims tokens without end may cause. So
    the halves of the amounts are summed by themselves. `MONEY(high, low)` takes two columns that hold the halves.
    """
    return _MONEY.sub(_money, query)


def _money(found: re.Match[str]) -> str:
    column, other, where = found[1], found[2], f" FILTER (WHERE {found[3]})" if found[3] else ""
    high, low = (column, other) if other else (f"{column} >> 32", f"{column} & 4294967295")
    high, low = f"SUM({high}){where}", f"SUM({low}){where}"
    return f"MIN({MAX_AMOUNT}, MIN({high} + ({low} >> 32), {MAX_AMOUNT >> 32}) * 4294967296 + ({low} & 4294967295))"
