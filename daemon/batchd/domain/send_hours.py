"""The hours in which a route sends: spans of the day, on some days of the week, in a time zone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ..money.hours import DAY, WHOLE_DAY, days_from, minutes_of

_SPAN = re.compile(rf"(?:({DAY})(?:-({DAY}))?(?: |$))?(?:(\d\d):([0-5]\d)-(\d\d):([0-5]\d)(?: |$))?([A-Za-z][\w+/-]*)?")
_WEEK = 8
"""Days within which any span begins and ends again."""


class _Span(Struct, frozen=True):
    """Minutes of a local day, on days of the week on which it begins: Monday is 0. `end` may be on the next day."""

    days: frozenset[int]
    begin: int
    end: int
    zone: tzinfo

    @classmethod
    def read(cls, text: str) -> _Span:
        match = _SPAN.fullmatch(text)
        if match is None or not (match[1] or match[3]):
            raise ValueError(
                f'"{text}" are no hours; write them as "00:30-08:30", "Sat-Sun" or "Mon-Fri 22:00-06:00 Asia/Shanghai"'
            )
        first, last, *clock, zone = match.groups()
        begin, end = minutes_of(clock)
        if begin == end or begin >= WHOLE_DAY or end > WHOLE_DAY:
            raise ValueError(f'"{text}" must begin and end at two times of a day, from 00:00 to 24:00')
        return cls(days_from(first, last), begin, end if end > begin else end + WHOLE_DAY, _zone(zone))

    def around(self, at: float) -> Iterator[tuple[float, float]]:
        """Yield each begin and end of the span, from the day before this moment on, for more than a week."""
        today = datetime.fromtimestamp(at, self.zone).date()
        for day in (today + timedelta(days=number) for number in range(-1, _WEEK + 1)):
            if day.weekday() in self.days:
                yield self._moment(day, self.begin), self._moment(day, self.end)

    def _moment(self, day: date, minute: int) -> float:
        days, minute = divmod(minute, WHOLE_DAY)
        day += timedelta(days=days)
        return datetime(day.year, day.month, day.day, *divmod(minute, 60), tzinfo=self.zone).timestamp()


def _zone(name: str | None) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f'there is no time zone "{name}" on this machine; write one such as "Asia/Shanghai", or none for UTC'
        ) from None


class SendHours(Struct, frozen=True):
    """All spans of a route. `text` is how they are written."""

    spans: tuple[_Span, ...]
    text: str

    @classmethod
    def read(cls, texts: Sequence[str]) -> SendHours:
        """Read spans as a configuration has them. Raise ValueError if one is wrong.

        >>> SendHours.read(["22:00-06:00"]).opens_at(12 * 3600.0) == 22 * 3600.0
        True
        """
        return cls(tuple(map(_Span.read, texts)), ", ".join(texts))

    def opens_at(self, now: float) -> float | None:
        """When the next span begins (seconds since 1970); None if `now` is within a span."""
        moments = [each for span in self.spans for each in span.around(now)]
        if any(begin <= now < end for begin, end in moments):
            return None
        return min(begin for begin, _ in moments if begin > now)

    def closes_at(self, now: float) -> float:
        """When the hours around `now` end; spans that follow one another without a pause count as one."""
        moments, closes = sorted(each for span in self.spans for each in span.around(now)), now
        for begin, end in moments:
            if begin <= closes < end:
                closes = end
        return closes
