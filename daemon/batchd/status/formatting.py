"""Times, amounts and counts as people read them."""

from __future__ import annotations

import re
import time

from ..domain.subjects import Subject

# Providers' texts and file names come from outside: no escape sequence in them may reach the terminal.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def clean(text: str) -> str:
    """The text with control characters as their escapes."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """The cleaned text on a single line."""
    return clean(" ".join(text.split()))


def local_time(at: float) -> str:
    """`2026-11-24 03:12:07`, as the clock on the wall shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def since(at: float, now: float) -> str:
    """`03:12` if that was today, `2026-11-23 03:12` otherwise."""
    moment = time.localtime(at)
    today = moment[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", moment)


def troubled(subject: Subject, at: str | None) -> str:
    """`disk`, or `disk, since 03:12`."""
    return clean(str(subject) if at is None else f"{subject}, since {at}")


def utc(at: float | None) -> str | None:
    """ISO 8601, for machines."""
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`, `5 d`."""
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "0 s"


def money(subunits: int, currency: str) -> str:
    """`0.12 USD`."""
    from ..money.pricing import amount

    return f"{amount(subunits, currency)} {currency}"


def money_at_most(subunits: int, currency: str) -> str:
    """`at most 0.13 USD`, rounded up."""
    from ..money.pricing import at_most

    return f"at most {at_most(subunits, currency)} {currency}"


def short_count(number: int) -> str:
    """`950`, `12.3 k`, `4.5 M`: for a narrow column."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def join(words: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)
