"""A language and a place: sentences from the catalogue, numbers and times as people there write them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import date, datetime

Code = Literal["en", "vi"]
FILES = ("catalogue.toml", "page.toml")
LANGUAGES: tuple[Code, ...] = ("en", "vi")

_TIME = {"en": "%-d %b %Y, %H:%M", "vi": "%H:%M %d/%m/%Y"}
TO_VI = str.maketrans(",.", ".,")


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All sentences: by key, then by language."""
    import tomllib
    from importlib.resources import files

    texts = [files(__package__).joinpath(name).read_text(encoding="utf-8") for name in FILES]
    return {
        f"{table}.{key}": sentences
        for text in texts
        for table, keys in tomllib.loads(text).items()
        for key, sentences in keys.items()
    }


class Language(Struct, frozen=True):
    """How text for people is written. `timezone` is a name such as `Asia/Ho_Chi_Minh`, empty for UTC."""

    code: Code = "en"
    timezone: str = ""

    def say(self, key: str, /, **values: object) -> str:
        """The sentence of this key, with its `{names}` filled in. Counts are written as numbers."""
        filled = {name: self.number(value) if type(value) is int else value for name, value in values.items()}
        return catalogue()[key][self.code].format(**filled)

    def knows(self, key: str) -> bool:
        """Whether the catalogue has this key."""
        return key in catalogue()

    def number(self, value: float, *, digits: int | None = None) -> str:
        """With separators of thousands. Without `digits` decimals, a float has up to six significant digits."""
        if isinstance(value, int) and digits is None:
            text = f"{value:,}"
        elif digits is None:
            # `g` alone writes an exponent from a million on. First round: 999,999.7 is a million.
            rounded = float(f"{value:.6g}")
            text = f"{rounded:,.0f}" if 1e6 <= abs(rounded) < 1e15 else f"{rounded:,.6g}"
        else:
            text = f"{value:,.{digits}f}"
        return text.translate(TO_VI) if self.code == "vi" else text

    def money(self, amount: float | None, currency: str) -> str:
        """An amount with its currency and two decimals; below 0.1 with four."""
        if amount is None:
            return self.say("report.unknown")
        digits = 2 if amount == 0 or abs(amount) >= 0.1 else 4
        if 0 < abs(amount) < 0.0001:
            return f"< {self.number(0.0001, digits=4)} {currency}"
        return f"{self.number(float(amount), digits=digits)} {currency}"

    def at_most(self, subunits: int, unit: int, currency: str) -> str:
        """An amount that is not exceeded, rounded up. `unit` is how many subunits there are in one of the currency."""
        digits = 2 if subunits >= unit else 4
        rounded = -(-subunits * 10**digits // unit) / 10**digits
        return f"{self.number(rounded, digits=digits)} {currency}"

    def time(self, moment: datetime) -> str:
        """A moment in the place's own time, with the name of its zone."""
        from zoneinfo import ZoneInfo

        local = moment.astimezone(ZoneInfo(self.timezone or "UTC"))
        return f"{local.strftime(_TIME[self.code])} ({local.tzname()})"

    def soon(self, moment: datetime, now: datetime) -> str:
        """A moment near now: the clock alone within half a day, else as `time`."""
        from zoneinfo import ZoneInfo

        near = abs((moment - now).total_seconds()) < 43_200
        return moment.astimezone(ZoneInfo(self.timezone or "UTC")).strftime("%H:%M") if near else self.time(moment)

    def day(self, day: date) -> str:
        """A day without its year, for an axis."""
        return day.strftime("%d/%m" if self.code == "vi" else "%-d %b")

    def duration(self, seconds: float) -> str:
        """A span of time in days and hours, in hours and minutes, or in minutes."""
        hours, minutes = divmod(int(seconds // 60), 60)
        days, hours = divmod(hours, 24)
        if days:
            return self.say("report.days_hours", days=days, hours=hours)
        if hours:
            return self.say("report.hours_minutes", hours=hours, minutes=minutes)
        return self.say("report.minutes", minutes=minutes)


ENGLISH = Language()
