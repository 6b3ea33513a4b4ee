"""Reads the records of batches and files, in every form that services use: ids, counts, moments, problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ..model import Json, Problem

_MAX_ID = 1_000
_MAX_COUNT = 10**15
"""A larger count is impossible, so it is unknown. A sum of a thousand such counts still fits into the database."""
_MAX_MESSAGE = 2_000


def read_id(value: Json) -> str | None:
    """Read an id; None for every way to write that there is none. No id has thousands of characters."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**64:
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_ID else None


def read_count(value: Json) -> int:
    """Read a count; 0 if the value is no count, or an impossible one."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_COUNT:
        return 0
    return int(value)


def read_moment(value: Json) -> float | None:
    """Read a number, or an ISO 8601 date or time, as seconds since 1970; None if it is neither, or impossible.

    A time without a zone is UTC, as services write it.

    >>> read_moment("1970-01-02"), read_moment(1_782_097_200_000), read_moment(None)
    (86400.0, 1782097200.0, None)
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_COUNT:
        # Some services count in milliseconds: 100,000,000,000 seconds would be the year 5138.
        return value / 1000 if value > 1e11 else float(value)
    if not isinstance(value, str) or len(value) > 100:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def read_problems(errors: Json) -> tuple[Problem, ...]:
    """The problems in `errors`: OpenAI's list object, a bare list, one error, a sentence, or nothing."""
    return tuple(_problem(error) for error in _flat(errors))


def _flat(errors: Json) -> Iterator[Json]:
    if isinstance(errors, Mapping) and "data" in errors and not errors.get("message"):
        errors = errors["data"]
    if isinstance(errors, list):
        yield from (error for error in errors if error)
    elif errors:
        yield errors


def _problem(error: Json) -> Problem:
    if not isinstance(error, Mapping):
        return Problem("error", str(error)[:_MAX_MESSAGE])
    code = error.get("code") or error.get("type") or "error"
    message = error.get("message") or error.get("msg") or error.get("detail") or code
    line = read_count(error.get("line", error.get("line_number")))
    param = error.get("param")
    param = param[:100] if isinstance(param, str) and param else None
    return Problem(str(code)[:100], str(message)[:_MAX_MESSAGE], line or None, param)
