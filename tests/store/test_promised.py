"""What open parts can cost at most, by provider and route, which the database adds up itself: always that of all parts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.money.budget import MAX_AMOUNT
from batchd.store.database import QUERIES
from batchd.store.schema import migrations

STEPS = migrations()
[STEP] = [number for number, step in enumerate(STEPS) if "promised_by_route" in step]
JOBS, BATCHES = ("one", "two", "three"), ("x", "y")
ROUTES = [json.dumps({"name": name, "provider": at}) for name, at in (("reviews", "acme"), ("letters", "other"))]
DETAILS = ["{}", '{"calls_repeated": {"rows": 3}}', '{"live_rate": "slow"}']

AMOUNTS = st.integers(0, 10**6) | st.sampled_from([0, 1 << 40, MAX_AMOUNT - 1, MAX_AMOUNT])
PARTS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["unplanned", "planned", "batched", "answered", "collected"]),
        "reserved": AMOUNTS,
        "batch": st.none() | st.sampled_from(BATCHES),
    }
)
PLACES = st.tuples(st.sampled_from(JOBS), st.integers(0, 2))
CHANGES = st.one_of(
    st.tuples(st.just("put"), PLACES, PARTS),
    st.tuples(st.just("part"), PLACES, PARTS),
    st.tuples(st.just("delete"), st.sampled_from(JOBS), st.none()),
    st.tuples(
        st.just("job"),
        st.sampled_from(JOBS),
        st.fixed_dictionaries(
            {
                "state": st.sampled_from(["planning", "running", "held", "delivering"]),
                "cancelled": st.integers(0, 1),
                "route": st.sampled_from(ROUTES),
            }
        ),
    ),
    st.tuples(
        st.just("batch"),
        st.sampled_from(BATCHES),
        st.fixed_dictionaries(
            {
                "lane": st.sampled_from(["batch", "live"]),
                "requests": st.integers(1, 9),
                "provider": st.sampled_from(["acme", "other"]),
                "details": st.sampled_from(DETAILS),
            }
        ),
    ),
)


def database(upto: int = len(STEPS)) -> Iterator[sqlite3.Connection]:
    """One as it was after so many steps, with jobs and batches."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        for step in STEPS[:upto]:
            connection.executescript(step)
        for name in JOBS:
            family = "one" if name == "two" else None
            put(
                connection,
                "jobs",
                id=name,
                state="running",
                source=name,
                inbox_path=name.encode(),
                stamp="[]",
                route=ROUTES[0],
                size=1,
                claimed_at=0.0,
                family=family,
            )
        for key in BATCHES:
            put(
                connection,
                "batches",
                key=key,
                provider="acme",
                model="m",
                endpoint="e",
                state="submitted",
                requests=2,
                size=1,
                input_tokens=1,
                created_at=0.0,
            )
        yield connection


def put(connection: sqlite3.Connection, table: str, **columns: Any) -> None:
    marks = ", ".join(f":{name}" for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", columns)


def change(connection: sqlite3.Connection, kind: str, where: Any, values: dict[str, Any] | None) -> None:
    if kind == "put":
        job, first = where
        put(connection, "parts", job=job, first=first, rows=1, offset=0, length=1, **(values or {}))
    elif kind == "delete":
        connection.execute("DELETE FROM parts WHERE job = ?", (where,))
    else:
        sets = ", ".join(f"{name} = :{name}" for name in values or {})
        table, which, keys = {
            "part": ("parts", "job = :key0 AND first = :key1", where),
            "job": ("jobs", "id = :key0", [where]),
            "batch": ("batches", "key = :key0", [where]),
        }[kind]
        named = {f"key{number}": key for number, key in enumerate(keys)}
        connection.execute(f"UPDATE {table} SET {sets} WHERE {which}", {**(values or {}), **named})


def by_account(connection: sqlite3.Connection, job: str, family: str, route: str, provider: str) -> dict[str, int]:
    """What an admission is told."""
    asked = {"job": job, "family": family, "route": route, "provider": provider}
    [row] = connection.execute(QUERIES["account"], {**asked, "currency": "USD", "day": 0, "month": 0}).fetchall()
    return {name: row[name] for name in row.keys() if "reserved" in name}  # noqa: SIM118  # a Row


def by_parts(connection: sqlite3.Connection, job: str, family: str, route: str, provider: str) -> dict[str, int]:
    """The same, from each part."""
    found = dict.fromkeys(("reserved", "family_reserved", "provider_reserved", "route_reserved"), 0)
    batches = {row["key"]: row for row in connection.execute("SELECT * FROM batches")}
    jobs = {row["id"]: row for row in connection.execute("SELECT * FROM jobs")}
    for part in connection.execute("SELECT * FROM parts WHERE state != 'collected' AND job != ?", (job,)):
        of, batch = jobs[part["job"]], batches.get(part["batch"])
        may_be_sent = of["state"] == "running" and not of["cancelled"]
        if part["state"] not in {"batched", "answered"} and not may_be_sent:
            continue
        amount = part["reserved"]
        if batch is not None and batch["lane"] == "live":
            repeated = json.loads(batch["details"]).get("calls_repeated", {}).get("rows", 0)
            amount += -(-part["reserved"] // batch["requests"]) * repeated
        amount, asked = min(amount, MAX_AMOUNT), json.loads(of["route"])
        found["reserved"] += amount
        found["family_reserved"] += amount if family in {of["id"], of["family"]} else 0
        found["provider_reserved"] += amount if (batch or asked)["provider"] == provider else 0
        found["route_reserved"] += amount if asked["name"] == route else 0
    return {name: min(amount, MAX_AMOUNT) for name, amount in found.items()}


def check(connection: sqlite3.Connection) -> None:
    for asked in (
        ("one", "one", "reviews", "acme"),
        ("two", "one", "letters", "other"),
        ("three", "three", "reviews", "other"),
        ("", "", "letters", "acme"),
    ):
        assert by_account(connection, *asked) == by_parts(connection, *asked)


@pytest.mark.slow
@given(st.lists(CHANGES, max_size=12), st.lists(CHANGES, max_size=25))
def test_what_is_promised_is_that_of_all_parts(before: list[Any], after: list[Any]) -> None:
    """Of a state of before, whose parts are added up once, and after each change."""
    for connection in database(STEP):
        for each in before:
            change(connection, *each)
        for step in STEPS[STEP:]:
            connection.executescript(step)
        check(connection)
        for each in after:
            change(connection, *each)
            check(connection)


def test_an_admission_reads_no_part_of_other_jobs() -> None:
    """Ten thousand small files that are under way are as many parts, and each that is admitted asks."""
    for connection in database():
        asked = {"job": "", "family": "", "provider": "", "route": "", "currency": "", "day": 0, "month": 0}
        plan = connection.execute(f"EXPLAIN QUERY PLAN {QUERIES['account']}", asked).fetchall()
        read = {row["detail"] for row in plan if row["detail"].split()[1] == "parts"}
        assert read
        assert all("(job=?)" in detail for detail in read)
