"""Which cases of a long list run: all of them with BATCHD_EVERY_CASE=1, else a share, another one in each run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

One = TypeVar("One")
Other = TypeVar("Other")

EVERY_CASE = os.environ.get("BATCHD_EVERY_CASE") == "1"
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or random.randbytes(8).hex()
"""The same in all processes of a run, which must find the same tests."""


def share(cases: Iterable[One], of: int = 3) -> list[One]:
    """One case of three, or of so many. For lists whose neighbours differ little."""
    listed = list(cases)
    return listed if EVERY_CASE else listed[_first(len(listed), of) :: of]


def pairs(ones: Sequence[One], others: Sequence[Other]) -> list[tuple[One, Other]]:
    """Half of all pairs, so that each value is in one."""
    first = _first(len(ones) * len(others), 2)
    return [
        (one, other)
        for place, one in enumerate(ones)
        for beside, other in enumerate(others)
        if EVERY_CASE or (place + beside + first) % 2 == 0
    ]


def _first(cases: int, of: int) -> int:
    return random.Random(f"{_RUN} {cases}").randrange(of)
