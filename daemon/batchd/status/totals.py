"""How much is going on, in a line: jobs in work and waiting, what was done today, and the money of today."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..store.reading.listing import counts_by_group
from .formatting import count, money

if TYPE_CHECKING:
    from ..store.reading.snapshot import State
    from .places import Places

DAY = 86_400.0


class StatusTotals(Struct, frozen=True):
    """Jobs by where they are, and today's jobs and rows. A day is local for jobs, and of UTC for money.

    `spent` is in subunits of `currency`; `left` is what the budget of a day has left, None if it has none.
    """

    in_work: int
    waiting: int
    held: int
    stopped: int
    done: int
    rows: int
    spent: int
    left: int | None
    currency: str

    @classmethod
    def take(cls, places: Places, state: State, now: float) -> StatusTotals:
        """Add up now."""
        groups = counts_by_group(state)
        done, rows = state.done_since(_midnight(now))
        return cls(
            in_work=groups["now"],
            waiting=groups["waiting"],
            held=groups["held"],
            stopped=state.stopped_count(),
            done=done,
            rows=rows,
            spent=state.spent_on(int(now // DAY), places.currency),
            left=_left(places, now),
            currency=places.currency,
        )

    @property
    def sentences(self) -> str:
        """For people."""
        jobs = [f"{self.in_work:,} under way", f"{self.waiting:,} waiting"]
        jobs += [f"{self.held:,} held"] if self.held else []
        jobs += [f"{self.stopped:,} stopped"] if self.stopped else []
        today = [f"{self.done:,} done", count(self.rows, "row"), money(self.spent, self.currency)]
        left = "" if self.left is None else f" Left of today's budget: {money(max(0, self.left), self.currency)}."
        return f"Jobs: {', '.join(jobs)}.\nToday: {', '.join(today)}.{left}"

    def record(self) -> dict[str, Any]:
        """For `--json`. Money is in units of the currency."""
        from ..money.pricing import unit

        one = unit(self.currency)
        return {
            "in_work": self.in_work,
            "waiting": self.waiting,
            "held": self.held,
            "stopped": self.stopped,
            "done_today": self.done,
            "rows_today": self.rows,
            "spent_today": self.spent / one,
            "left_today": None if self.left is None else max(0, self.left) / one,
            "currency": self.currency,
        }


def _midnight(now: float) -> float:
    here = time.localtime(now)
    return time.mktime((here.tm_year, here.tm_mon, here.tm_mday, 0, 0, 0, 0, 0, -1))


def _left(places: Places, now: float) -> int | None:
    if "per_day" not in places.budgets.get(("", ""), {}):
        return None
    from .spending import limits

    return min((limit.left for limit in limits(places, now) if limit.name == "[budget] per_day"), default=None)
