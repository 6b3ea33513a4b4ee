"""Sums of money: exact, and never more than the database can add up."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.money.budget import MAX_AMOUNT
from batchd.store.tables.sums import with_money

pytestmark = pytest.mark.field("money")


def summed(amounts: list[int], query: str = "SELECT MONEY(cost) FROM spending") -> int | None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE spending (cost INTEGER)")
        database.executemany("INSERT INTO spending VALUES (?)", [(amount,) for amount in amounts])
        found: int | None = database.execute(with_money(query)).fetchone()[0]
        return found


@given(st.lists(st.integers(0, MAX_AMOUNT - 1) | st.integers(0, 2**40), max_size=40))
def test_a_sum_is_exact_and_stops_where_it_cannot_be_counted(amounts: list[int]) -> None:
    assert (summed(amounts) or 0) == min(sum(amounts), MAX_AMOUNT)


def test_a_sum_of_some_of_them() -> None:
    assert summed([1, 2**61, 5], "SELECT COALESCE(MONEY(cost WHERE cost < 10), 0) FROM spending") == 6
    assert summed([]) is None
