"""Hours of the day, on some days of the week, in UTC: when another price applies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = "|".join(_DAYS)
_SPAN = re.compile(rf"(?:({DAY})(?:-({DAY}))?)?(?:(?:^| )(\d\d):([0-5]\d)-(\d\d):([0-5]\d))?")
WHOLE_DAY = 24 * 60


def days_from(first: str | None, last: str | None) -> frozenset[int]:
    """The days of the week from one to another, by their names; Monday is 0. All of them if none is named."""
    if first is None:
        return frozenset(range(7))
    one, other = _DAYS.index(first), _DAYS.index(last or first)
    return frozenset((one + each) % 7 for each in range((other - one) % 7 + 1))


def minutes_of(clock: Sequence[str | None]) -> tuple[int, int]:
    """Convert two times (hour, minute, hour, minute) to minutes of the day; the whole day if none is written."""
    numbers = [int(each) for each in clock if each is not None]
    return (numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]) if numbers else (0, WHOLE_DAY)


@dataclass(frozen=True, slots=True)
class HourSpan:
    """From one minute of a day to another (not included), on these days of the week: Monday is 0.

    >>> HourSpan.read("Mon-Fri 10:00-24:00").contains(0.0)  # a Thursday's midnight
    False
    """

    days: frozenset[int]
    begin: int
    end: int

    @classmethod
    def read(cls, text: str) -> HourSpan:
        """Days, hours or both: `Sat-Sun`, `10:00-24:00`, `Mon-Fri 04:00-06:00`. Raises ValueError."""
        match = _SPAN.fullmatch(text)
        if match is None or not text:
            raise ValueError(
                f'"{text}" is no span of hours; write it as "10:00-24:00", "Sat-Sun" or "Mon-Fri 04:00-06:00"'
            )
        first, last, *clock = match.groups()
        begin, end = minutes_of(clock)
        if not begin < end <= WHOLE_DAY:
            raise ValueError(
                f'"{text}" must end after it begins, by 24:00 at the latest; write one over midnight as two'
            )
        return cls(days_from(first, last), begin, end)

    def contains(self, at: float) -> bool:
        """Whether this moment (seconds since 1970) lies in it."""
        moment = datetime.fromtimestamp(at, UTC)
        return moment.weekday() in self.days and self.begin <= moment.hour * 60 + moment.minute < self.end
