"""Rows with a call of unknown outcome: a kill or a broken connection came before the answer, and it may have been paid.

Among the answers of a batch, a line of its own marks such a row. The line is no answer. It costs what was planned for
the row, as waste: what may have been paid never counts as zero. A row costs this once, however many of its calls broke
off: a service that breaks off again and again does not work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ..model import Usage
from ..money.spending import Tally

_BEGINNING = b'{"unknown_call":true,'


def unknown_call(custom_id: str) -> bytes:
    """Return the line that marks such a row."""
    return b'%s"custom_id":"%s"}\n' % (_BEGINNING, custom_id.encode())


def is_unknown_call(line: bytes) -> bool:
    """Whether the line marks a row with a call of unknown outcome."""
    return line.startswith(_BEGINNING)


def add_unknown_calls(
    tally: Tally,
    rows: Collection[int],
    planned: Callable[[Mapping[int, int]], Mapping[int, Usage]],
    sizes: Mapping[int, int],
) -> None:
    """Add a call for each of these rows. `sizes` are the bytes of their answers, which count if no limit was set."""
    if not rows:
        return
    figures = planned({row: sizes.get(row, 0) for row in rows})
    for row in rows:
        tally.add(figures.get(row, Usage()), wasted=True, estimated=True)
