"""Sums of money in SQL that never need more than 64 bits."""

from __future__ import annotations

import re

from ...domain.states import CALLS_REPEATED
from ...money.budget import MAX_AMOUNT

_MONEY = re.compile(r"MONEY\((\w+)(?: WHERE ([^()]*))?\)")


_RESERVED = f"""MIN({MAX_AMOUNT}, parts.reserved + CASE WHEN batches.lane = 'live'
    THEN (parts.reserved + batches.requests - 1) / MAX(1, batches.requests)
         * COALESCE(json_extract(batches.details, '$.{CALLS_REPEATED}.rows'), 0) ELSE 0 END)"""
"""What a part has reserved: twice for each row with a live call whose outcome is not known, since it may be paid."""


def with_money(query: str) -> str:
    """The query with each `MONEY(column WHERE …)` written out: an exact sum that stops at MAX_AMOUNT.

    `RESERVED` is what a part has reserved, where its batch is joined.

    SUM fails for good once a sum needs more than 64 bits, and a service that claims tokens without end may bring that
    about. So both halves of the amounts are summed.
    """
    return _MONEY.sub(_money, query.replace("RESERVED", _RESERVED))


def _money(found: re.Match[str]) -> str:
    column, where = found[1], f" FILTER (WHERE {found[2]})" if found[2] else ""
    high, low = f"SUM({column} >> 32){where}", f"SUM({column} & 4294967295){where}"
    return f"MIN({MAX_AMOUNT}, MIN({high} + ({low} >> 32), {MAX_AMOUNT >> 32}) * 4294967296 + ({low} & 4294967295))"
