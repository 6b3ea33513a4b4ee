"""The file that shows a pilot's answers. Its name may have a number, and is stored only in why the job is held."""

from __future__ import annotations

import re

ENDING = ".pilot.csv"
_BEFORE, _AFTER = "look at their answers in ", " in the outbox before the other "
_NAMED = re.compile(f"; {re.escape(_BEFORE)}(.*{re.escape(ENDING)}){re.escape(_AFTER)}")


def look_at(name: str) -> str:
    """The words that name the file; those about the rows that are not asked yet follow."""
    return f"{_BEFORE}{name}{_AFTER}"


def file_in(reason: str) -> str | None:
    """The name in a reason with the words of `look_at`.

    >>> file_in(f"2 of its 9 rows were asked first; {look_at('reviews/may (2).pilot.csv')}7 rows are asked")
    'reviews/may (2).pilot.csv'
    """
    found = _NAMED.search(reason)
    return found[1] if found is not None else None
