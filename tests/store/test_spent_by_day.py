"""The sums of each day, which the database keeps itself: always those of the lines of spending, also in an old state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.money.budget import MAX_AMOUNT, beginnings
from batchd.store.database import QUERIES, migrations
from batchd.store.reading.snapshot import snapshot
from batchd.store.tables.sums import with_money

from .conftest import Opened

NOW = 1_800_000_000.0
DAY, MONTH = beginnings(NOW)
STEPS = migrations()
[STEP] = [number for number, step in enumerate(STEPS) if "spent_by_day" in step]

LINES = st.lists(
    st.tuples(
        st.sampled_from([MONTH - 1, MONTH, DAY - 0.5, DAY, NOW, NOW + 9 * 86_400]),
        st.sampled_from(["acme", "other"]),
        st.sampled_from(["reviews", "letters"]),
        st.sampled_from(["USD", "EUR"]),
        st.none() | st.integers(0, 10**15) | st.just(MAX_AMOUNT - 1),
    ),
    max_size=12,
)


@contextmanager
def schema(upto: int) -> Iterator[sqlite3.Connection]:
    """A database as it was after so many steps."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        for step in STEPS[:upto]:
            connection.executescript(step)
        yield connection


def insert(connection: sqlite3.Connection, lines: list[tuple[float, str, str, str, int | None]]) -> None:
    for first, (at, provider, route, currency, cost) in enumerate(lines):
        connection.execute(
            "INSERT INTO spending (job, first, attempt, at, route, provider, model, lane, currency, answers, "
            "input_tokens, cached_tokens, output_tokens, wasted_input, wasted_output, cost) "
            "VALUES ('j', ?, 1, ?, ?, ?, 'small', 'batch', ?, 1, 1, 0, 1, 0, 0, ?)",
            (first, at, route, provider, currency, cost),
        )


def sums(connection: sqlite3.Connection) -> dict[str, int]:
    """What an admission is told, and the same by all lines."""
    asked = {
        "job": "",
        "family": "",
        "provider": "acme",
        "route": "reviews",
        "currency": "USD",
        "day": DAY,
        "month": MONTH,
    }
    [row] = connection.execute(QUERIES["account"], asked).fetchall()
    return {name: row[name] for name in row.keys() if "reserved" not in name and name != "job"}  # noqa: SIM118  # a Row


def by_lines(connection: sqlite3.Connection) -> dict[str, int]:
    found = {}
    for place, where in (("", ""), ("provider_", " AND provider = 'acme'"), ("route_", " AND route = 'reviews'")):
        for name, since in (("today", DAY), ("month", MONTH)):
            query = f"SELECT COALESCE(MONEY(cost), 0) FROM spending WHERE currency = 'USD' AND at >= {since}{where}"
            [[found[f"{place}{name}"]]] = connection.execute(with_money(query)).fetchall()
    return found


@given(LINES, LINES)
@pytest.mark.slow
def test_the_sums_are_those_of_the_lines(
    before: list[tuple[float, str, str, str, int | None]], after: list[tuple[float, str, str, str, int | None]]
) -> None:
    """Of a state of before, whose lines are summed once, and of those that come."""
    with schema(STEP) as connection:
        insert(connection, before)
        for step in STEPS[STEP:]:
            connection.executescript(step)
        assert sums(connection) == by_lines(connection)
        insert(connection, [])
        connection.execute("UPDATE spending SET first = first + 1000")
        insert(connection, after)
        assert sums(connection) == by_lines(connection)


@pytest.mark.parametrize(
    "change", ["DELETE FROM spending WHERE first = 0", f"UPDATE spending SET at = {MONTH}, cost = 7"]
)
def test_a_line_that_is_changed_by_hand_changes_its_sums(change: str) -> None:
    with schema(len(STEPS)) as connection:
        insert(connection, [(NOW, "acme", "reviews", "USD", 5), (NOW, "acme", "letters", "USD", None)])
        connection.execute(change)
        assert sums(connection) == by_lines(connection)


async def test_a_day_that_is_more_than_can_be_counted_is_shown_all_the_same(store: Opened) -> None:
    day = int(NOW // 86_400)
    lines = [("acme", "USD", MAX_AMOUNT), ("other", "USD", MAX_AMOUNT), ("acme", "EUR", 5)]
    rows = [
        {"day": day, "currency": currency, "provider": provider, "route": "reviews", "cost": cost}
        for provider, currency, cost in lines
    ]
    await store.database.write(lambda tx: tx.insert("spent_by_day", rows))
    with snapshot(store.path.parent) as state:
        spent = [state.spent_on(day, "USD"), state.spent_on(day, "EUR"), state.spent_on(day + 1, "USD")]
    assert spent == [MAX_AMOUNT, 5, 0]


def test_an_admission_reads_no_line_of_other_jobs() -> None:
    """A month of small files is 300,000 lines, and 20,000 files may be admitted one after another."""
    with schema(len(STEPS)) as connection:
        asked = {"job": "", "family": "", "provider": "", "route": "", "currency": "", "day": 0, "month": 0}
        plan = connection.execute(f"EXPLAIN QUERY PLAN {QUERIES['account']}", asked).fetchall()
        read = [row["detail"] for row in plan if "spending" in row["detail"]]
    # Those of the job itself, and of the others of its family.
    assert set(read) == {"SEARCH spending USING PRIMARY KEY (job=?)"}
