"""`[people]`: the language and the place of those who read the results."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from ..people.language import Language
from .tables import Table


def _known_timezone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        advice = 'write one such as "Asia/Ho_Chi_Minh" or "Europe/Berlin"'
        raise ValueError(f'there is no time zone "{name}" on this machine; {advice}') from None
    return name


class PeopleTable(Table):
    """`[people]`, as written. Without a `timezone`, times are in UTC."""

    language: Literal["en", "vi"] = "en"
    timezone: Annotated[str, AfterValidator(_known_timezone)] = ""
    html_report: bool = True
    waiting_notes: bool = True

    def reader(self) -> Language:
        return Language(self.language, self.timezone)
