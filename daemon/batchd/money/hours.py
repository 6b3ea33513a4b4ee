"""Hours of the day, on some days of the week, in UTC: when another price applies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = "|".join(_DAYS)
_SPAN = re.compile(rf"(?:({_DAY})(?:-({_DAY}))?)?(?:(?:^| )(\d\d):([0-5]\d)-(\d\d):([0-5]\d))?")
WHOLE_DAY = 24 * 60


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
        begin, end = 0, WHOLE_DAY
        if clock[0] is not None:
            begin, end = (int(hour) * 60 + int(minute) for hour, minute in (clock[:2], clock[2:]))
        if not begin < end <= WHOLE_DAY:
            raise ValueError(
                f'"{text}" must end after it begins, by 24:00 at the latest; write one over midnight as two'
            )
        days = frozenset(range(7))
        if first is not None:
            one, other = _DAYS.index(first), _DAYS.index(last or first)
            days = frozenset((one + each) % 7 for each in range((other - one) % 7 + 1))
        return cls(days, begin, end)

    def contains(self, at: float) -> bool:
        """Whether this moment (seconds since 1970) lies in it."""
        moment = datetime.fromtimestamp(at, UTC)
        return moment.weekday() in self.days and self.begin <= moment.hour * 60 + moment.minute < self.end
