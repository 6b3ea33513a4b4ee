"""Sums of money in SQL that never need more than 64 bits."""

from __future__ import annotations

import re

from ..money.budget import MAX_AMOUNT

_MONEY = re.compile(r"MONEY\((\w+)(?: WHERE ([^()]*))?\)")


def with_money(query: str) -> str:
    """The query with each `MONEY(column WHERE …)` written out: an exact sum that stops at MAX_AMOUNT.

    SUM fails for good once a sum needs more than 64 bits, and a service that claims tokens without end may bring that
    about. So both halves of the amounts are summed.
    """
    return _MONEY.sub(_money, query)


def _money(found: re.Match[str]) -> str:
    column, where = found[1], f" FILTER (WHERE {found[2]})" if found[2] else ""
    high, low = f"SUM({column} >> 32){where}", f"SUM({column} & 4294967295){where}"
    return f"MIN({MAX_AMOUNT}, MIN({high} + ({low} >> 32), {MAX_AMOUNT >> 32}) * 4294967296 + ({low} & 4294967295))"
