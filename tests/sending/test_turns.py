"""Turns between jobs: by their weights, with a small head start for those that come new."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.sending.turns import HEAD_START, HEAD_START_FACTOR, FairTurns


def taken(turns: FairTurns, waiting: dict[str, int], number: int) -> list[str]:
    """Who has had so many turns, where all these wait with their weights."""
    order = []
    for _ in range(number):
        name = turns.next(waiting)
        assert name is not None
        turns.took(name, waiting[name])
        order.append(name)
    return order


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_each_gets_turns_by_its_weight(weights: list[int]) -> None:
    waiting = {str(number): weight for number, weight in enumerate(weights)}
    turns = FairTurns()
    taken(turns, waiting, HEAD_START * len(waiting) * 9)  # beyond the head start of each
    had = Counter(taken(turns, waiting, 100 * sum(weights)))
    for name, weight in waiting.items():
        assert had[name] == pytest.approx(100 * weight, abs=weight + 1)


def test_one_that_comes_new_is_soon_done_and_holds_nobody_up_for_long() -> None:
    turns = FairTurns()
    taken(turns, {"large": 1}, 1_000)
    order = taken(turns, {"large": 1, "small": 1}, 10 + 3)
    assert order.count("small") >= 10
    assert "large" in order
    more = taken(turns, {"large": 1, "small": 1}, 200)
    assert more.count("large") == pytest.approx(100, abs=HEAD_START_FACTOR)


def test_one_that_could_not_use_its_turns_does_not_get_them_all_at_once() -> None:
    turns = FairTurns()
    taken(turns, {"first": 1, "second": 1}, 100)
    taken(turns, {"first": 1}, 1_000)
    assert Counter(taken(turns, {"first": 1, "second": 1}, 100))["second"] == pytest.approx(50, abs=2)


def test_nobody_waits() -> None:
    assert FairTurns().next([]) is None
