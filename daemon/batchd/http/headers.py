"""What the headers of an answer over HTTP say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the service asks us to wait; None if it does not. `headers` must ignore the case of names."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds, then = _seconds(text), _instant(text)
    if seconds is not None or then is None:
        return seconds
    # If the service sends its date, take both times from its clock: ours may be minutes off.
    now = _instant(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds()) or None


def _seconds(text: str | None) -> float | None:
    try:
        count = float(text or "")
    except ValueError:
        return None
    return count if 0 < count < 1e9 else None


def _instant(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
