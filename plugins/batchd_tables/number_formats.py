"""What the format of a cell makes of its number: a date, a time, a duration, an id with zeros in front."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from enum import Enum, auto

from batchd import Json


class Kind(Enum):
    """What a number stands for."""

    NUMBER = auto()
    DATE = auto()
    DATETIME = auto()
    TIME = auto()
    DURATION = auto()
    DIGITS = auto()
    """An integer that is shown with zeros in front."""


Format = tuple[Kind, int]
"""The kind, and how many digits DIGITS has."""
PLAIN: Format = (Kind.NUMBER, 0)

_BUILT_IN = {
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 55), 57, 58), Kind.DATE),
    **dict.fromkeys((18, 19, 20, 21, *range(32, 36), 45, 47, 55, 56), Kind.TIME),
    22: Kind.DATETIME,
    46: Kind.DURATION,
}
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]")
_NO_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|am/pm|a/p|general', re.DOTALL)
_ZEROS = re.compile(r"0{2,40}")
_MAX_DIGITS = 15
_LAST_DAY = 2_958_466
"""The day after the last that Excel has, 9999-12-31."""


def built_in(number: int) -> Format:
    """The built-in format with this number, which workbooks do not spell out."""
    return (_BUILT_IN.get(number, Kind.NUMBER), 0)


def format_of(code: str) -> Format:
    """What a format code stands for.

    >>> [format_of(code)[0].name for code in ("0.00", "yyyy-mm-dd", "h:mm AM/PM", "[h]:mm", '0 "days"', "00000")]
    ['NUMBER', 'DATE', 'TIME', 'DURATION', 'NUMBER', 'DIGITS']
    """
    low = code.lower()
    if _ELAPSED.search(low):
        return (Kind.DURATION, 0)
    bare = _NO_CODE.sub("", low.partition(";")[0])
    if _ZEROS.fullmatch(bare):
        return (Kind.DIGITS, len(bare))
    timed = "h" in bare or "s" in bare
    dated = "y" in bare or "d" in bare or ("m" in bare and not timed)
    if dated:
        return (Kind.DATETIME if timed else Kind.DATE, 0)
    return (Kind.TIME if timed else Kind.NUMBER, 0)


def shown(value: float, format_: Format, *, from_1904: bool = False) -> Json:
    """The number as its format means it: text in ISO 8601 for dates, otherwise itself.

    >>> [shown(value, (Kind.DATE, 0)) for value in (45_778, 45_778.4375, -1)]
    ['2025-05-01', '2025-05-01T10:30:00', -1]
    """
    kind, digits = format_
    if kind is Kind.DIGITS:
        return f"{value:0{digits}d}" if isinstance(value, int) and value >= 0 else value
    if not -_LAST_DAY < value < _LAST_DAY:
        return value
    if kind is Kind.DURATION:
        seconds = round(abs(value) * 86_400)
        sign = "-" if value < 0 else ""
        return f"{sign}{seconds // 3_600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if value < 0 or (value < 1 and kind is not Kind.TIME and not from_1904):
        return value
    # Excel counts 29 February 1900, which did not exist: days before it are one later than their number says.
    start = date(1904, 1, 1) if from_1904 else date(1899, 12, 31 if value < 60 else 30)
    moment = datetime(start.year, start.month, start.day) + timedelta(milliseconds=round(value * 86_400_000))  # noqa: DTZ001  # a sheet has no time zones
    if kind is Kind.TIME and value < 1:
        return moment.time().isoformat("auto" if not moment.microsecond else "milliseconds")
    if kind is Kind.DATE and moment.time() == moment.min.time():
        return moment.date().isoformat()
    return moment.isoformat(timespec="auto" if not moment.microsecond else "milliseconds")


def stored(text: str, format_: Format) -> float | None:
    """The number that is shown as this text, in this format; None if there is none.

    >>> [stored(text, (Kind.DATE, 0)) for text in ("2025-05-01T10:30:00", "2025-05-01", "soon")]
    [45778.4375, 45778, None]
    """
    kind, _ = format_
    try:
        if kind is Kind.DIGITS:
            value: float = int(text) if len(text) <= _MAX_DIGITS else -1
        elif kind is Kind.DURATION:
            hours, minutes, seconds = (int(each) for each in text.lstrip("-").split(":"))
            value = (hours * 3_600 + minutes * 60 + seconds) / (-86_400 if text.startswith("-") else 86_400)
        elif kind is Kind.NUMBER:
            return None
        else:
            value = _serial(text)
    except (ValueError, TypeError, OverflowError):
        return None
    value = int(value) if float(value).is_integer() else value
    # A text that the number would not show exactly stays text: what is read again is what was written.
    return value if shown(value, format_) == text else None


def _serial(text: str) -> float:
    if ":" in text[:3]:
        time_ = time.fromisoformat(text)
        return (time_.hour * 3_600 + time_.minute * 60 + time_.second + time_.microsecond / 1e6) / 86_400
    moment = datetime.fromisoformat(text)
    start = datetime(1899, 12, 31 if moment < datetime(1900, 3, 1) else 30)  # noqa: DTZ001  # a sheet has no time zones
    return (moment - start) / timedelta(days=1)
