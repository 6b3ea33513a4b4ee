"""Parses the text of a fault: `operation:kind[:key=value,…]`, such as `create:cut-after:count=2`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..refusals import ACCOUNT_REASONS
from ..settings import duration
from .table import ALWAYS, FAULTS, STATUS, Fault, Order


class FaultNotUnderstood(ValueError):
    """Raised for a text that is not a fault by the grammar and the table. The message says what would be one."""


def _count(text: str) -> int | None:
    if text == "always":
        return ALWAYS
    if not text.isdigit() or int(text) < 1:
        raise ValueError('count is a number from 1, or "always".')
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError("fraction is a number from 0 to 1.")
    return number


def _lines(text: str) -> tuple[tuple[int, int], ...]:
    ranges = []
    for piece in text.split("+"):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", piece)
        if match is None or int(match[1]) < 1:
            raise ValueError("lines are numbers from 1, joined by +, such as 3+8+10-19.")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return tuple(ranges)


def _text(text: str) -> str:
    if not text:
        raise ValueError("the text is empty.")
    return text


_STATUSES = frozenset(map(str, (0, *range(400, 600))))


def _status(text: str) -> int:
    if text not in _STATUSES:
        raise ValueError("a status is 0, or a number from 400 to 599.")
    return int(text)


def _reason(text: str) -> str:
    if text not in ACCOUNT_REASONS:
        raise ValueError(f"the reasons are {', '.join(ACCOUNT_REASONS)}.")
    return text


_PARSERS: dict[str, Callable[[str], object]] = {
    "count": _count,
    "fraction": _fraction,
    "delay": duration,
    "lines": _lines,
    "marker": _text,
    "retry-after": duration,
    "code": _text,
    "status": _status,
    "limit": int,
    "reason": _reason,
    "param": _text,
}


def parse(text: str) -> Order:
    """The order written in `text`. Raises FaultNotUnderstood."""
    operation, _, rest = text.strip().partition(":")
    kind, _, parameters = rest.partition(":")
    fault = _find(text, operation, kind)
    order = replace(fault.defaults, operation=operation, kind=kind, text=text.strip())
    if fault.kind == STATUS:
        order = replace(order, kind="status", status=int(kind))
    values: dict[str, object] = {}
    for name, value in _pairs(text, parameters):
        if name not in fault.takes(operation):
            known = ", ".join(fault.takes(operation))
            raise FaultNotUnderstood(f'"{text}": {operation}:{kind} takes {known}, but not "{name}".')
        try:
            values[name.replace("-", "_")] = _PARSERS[name](value)
        except ValueError as reason:
            raise FaultNotUnderstood(f'"{text}": {name}={value} is not understood: {reason}') from None
    if order.chooses_lines and ("fraction" in values or "marker" in values):
        values.setdefault("lines", ())
    if operation == "batch" and "marker" in values:
        if "count" in values:
            raise FaultNotUnderstood(f'"{text}": with marker the fault stays until it is lifted, so omit count.')
        values |= {"count": ALWAYS}
        values.setdefault("lines", ())
    return replace(order, **values)  # type: ignore[arg-type]  # each value is what its parser returned


def _find(text: str, operation: str, kind: str) -> Fault:
    for fault in FAULTS:
        matches = kind == fault.kind or (fault.kind == STATUS and kind in _STATUSES)
        if operation in fault.operations and matches:
            return fault
    operations = sorted({one for fault in FAULTS for one in fault.operations})
    if operation not in operations:
        close = difflib.get_close_matches(operation, operations, 1)
        hint = f'did you mean "{close[0]}"?' if close else f"it is one of {', '.join(operations)}."
        raise FaultNotUnderstood(f'"{text}": there is no operation "{operation}"; {hint}')
    kinds = sorted({fault.kind for fault in FAULTS if operation in fault.operations})
    raise FaultNotUnderstood(f'"{text}": {operation} has no fault "{kind}"; it has {", ".join(kinds)}.')


def _pairs(text: str, parameters: str) -> Iterator[tuple[str, str]]:
    for piece in parameters.split(",") if parameters else ():
        name, equals, value = piece.partition("=")
        if not equals:
            raise FaultNotUnderstood(f'"{text}": "{piece}" should be written as key=value.')
        yield name.strip(), value.strip()
