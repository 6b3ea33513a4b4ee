"""The moments that services write, in any of their forms."""

from __future__ import annotations

from datetime import UTC, datetime

from batchd import Json


def instant(value: Json) -> float | None:
    """Seconds since 1970 of a number, or of a date or time by ISO 8601; None if it is neither.

    >>> instant("1970-01-02"), instant(1_782_097_200), instant(None)
    (86400.0, 1782097200.0, None)
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11:
        return float(value)
    if not isinstance(value, str) or not value or len(value) > 100:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
