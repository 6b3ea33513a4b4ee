"""The sink `postgres` against a real server: whole, once, into tables of other people, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest

from batchd import Receipt, RejectedError, ResultRow, RowStatus, TransientError
from batchd.testing.conformance import SinkConformance
from batchd.testing.outbox import FakeRows, MemoryOutbox, many_rows, sample_job, sample_rows
from batchd_sinks.postgres_sink import PostgresSink

from .postgres_server import postgres_server

pytestmark = [pytest.mark.outside, pytest.mark.field("results")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as address:
        yield address


def sink_for(url: str, **settings: Any) -> PostgresSink:
    return PostgresSink(PostgresSink.Settings(url=url, **settings))


async def ask(url: str, *statements: str) -> list[dict[str, Any]]:
    """What the last statement finds."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return [dict(row) for row in await connection.fetch(statements[-1])]
    finally:
        await connection.close()


@pytest.mark.slow
class TestPostgres(SinkConformance):
    rows_to_compare = (2_000, 8_000)

    @pytest.fixture(autouse=True)
    def _server(self, url: str) -> None:
        self.url = url

    def make(self) -> PostgresSink:
        return sink_for(self.url, table=f"kit_{abs(hash(str(self.folder)))}")

    def seen(self) -> Any:
        table = f"kit_{abs(hash(str(self.folder)))}"
        question = ask(self.url, f'SELECT * FROM "{table}" ORDER BY job, row')
        with ThreadPoolExecutor(1) as pool:  # the kit asks on a loop
            return pool.submit(asyncio.run, question).result()


async def test_every_kind_of_row_is_in_the_table_once(url: str) -> None:
    sink = sink_for(url, table="every")
    for _ in range(2):
        receipt = await sink.publish(sample_job(MemoryOutbox()), sample_rows())
    assert receipt is not None
    assert receipt == Receipt(receipt.where, table="every", rows=7)
    assert re.fullmatch(r"postgresql://127\.0\.0\.1:\d+/postgres", receipt.where)
    rows = await ask(url, "SELECT * FROM every ORDER BY row")
    assert len(rows) == 7
    assert rows[0] == {
        "job": "job", "row": 0, "file": "reviews/may.csv", "id": "1", "review": "Great, really.", "answer": "good",
        "score": "3", "status": "ok", "error": None,
    }  # fmt: skip
    assert rows[4]["review"] == "Đẹp 👍🏽 ñ \ufeff\ufffd", "NUL is what no table of PostgreSQL can hold"
    assert rows[4]["answer"] == '["a",{"b":null}]'
    assert rows[6]["status"] == "skipped"


def answered(number: int, values: list[Any], answer: list[Any], status: RowStatus = RowStatus.OK) -> ResultRow:
    return ResultRow(number, values, values, status, answer, None, None, None)


async def test_a_table_with_types_of_its_own_is_filled_by_casts(url: str) -> None:
    await ask(
        url,
        'CREATE TABLE typed (job varchar, row integer, "Day" date, score numeric(6, 2), good boolean, tags jsonb, '
        "checked_by text, PRIMARY KEY (job, row))",
        "SELECT 1",
    )
    rows = [
        answered(0, ["2026-05-01"], [3.5, True, ["a", "b\0"]]),
        answered(1, [""], [None, None, None]),
        answered(2, ["2026-05-02"], ["no number", "x", "text"], RowStatus.FAILED),
    ]
    fake = FakeRows(["day"], ["score", "good", "tags"], lambda: iter(rows))
    await sink_for(url, table="typed").publish(sample_job(MemoryOutbox()), fake)
    await ask(url, "UPDATE typed SET checked_by = 'anna' WHERE row = 0", "SELECT 1")
    await sink_for(url, table="typed").publish(sample_job(MemoryOutbox()), fake)
    found = await ask(
        url, 'SELECT "Day"::text AS day, score::text, good, tags->>1 AS tag, checked_by, file FROM typed ORDER BY row'
    )
    assert found == [
        {"day": "2026-05-01", "score": "3.50", "good": True, "tag": "b\ufffd", "checked_by": "anna", "file": "reviews/may.csv"},
        {"day": None, "score": None, "good": None, "tag": None, "checked_by": None, "file": "reviews/may.csv"},
        {"day": "2026-05-02", "score": None, "good": None, "tag": None, "checked_by": None, "file": "reviews/may.csv"},
    ]  # fmt: skip


async def test_two_jobs_with_other_columns_and_odd_names_share_a_table(url: str) -> None:
    names = ['say "x"', "Job", "status", "đ" * 40, "%s; DROP TABLE odd"]
    first = FakeRows(names, ["answer"], lambda: iter([answered(0, list("abcde"), ["yes"])]))
    second = FakeRows(["more"], ["answer"], lambda: iter([answered(0, ["m"], ["no"])]))
    sink = sink_for(url, table="odd")
    await asyncio.gather(
        sink.publish(sample_job(MemoryOutbox(), job="a"), first),
        sink.publish(sample_job(MemoryOutbox(), job="b"), second),
    )
    [a, b] = await ask(url, "SELECT * FROM odd ORDER BY job")
    assert (a["Job (2)"], a['say "x"'], a["status"], a["status (2)"], a["more"]) == ("b", "a", "c", "ok", None)
    assert (b["more"], b["answer"]) == ("m", "no")


async def test_what_cannot_be_done_is_said_and_nothing_is_half_there(url: str) -> None:
    await ask(
        url,
        "CREATE ROLE low LOGIN PASSWORD 'right'",
        "CREATE TABLE mine (job text, row bigint, PRIMARY KEY (job, row))",
        "CREATE TABLE strict (job text, row bigint, id text, review text, answer text, score integer, status text, "
        "error text, file text, PRIMARY KEY (job, row))",
        "CREATE TABLE people (id integer, name text)",
        "CREATE TABLE loose (job text, row bigint)",
        "CREATE TABLE needy (job text, row bigint, must text NOT NULL, PRIMARY KEY (job, row))",
        "CREATE VIEW looked AS SELECT * FROM mine",
        "SELECT 1",
    )
    low = url.replace("t:right@", "low:right@")
    odd = FakeRows(
        ["id", "review"], ["answer", "score"], lambda: iter([answered(0, ["1", "2"], ["a", "secret words"])])
    )
    wide = FakeRows([f"c{each}" for each in range(1_700)], ["a"], lambda: iter([answered(0, ["x"] * 1_700, ["b"])]))
    cases: list[tuple[str, dict[str, Any], Any, type[Exception], str]] = [
        ("no address", {"url": "mysql://x"}, None, RejectedError, "no address of PostgreSQL.*postgresql://user"),
        ("bad port", {"url": "postgresql://h:port/x"}, None, RejectedError, "no address"),
        ("nobody there", {"url": "postgresql://127.0.0.1:1/x"}, None, TransientError, r"127\.0\.0\.1:1/x cannot be reached \(Connection refused\)"),
        ("no name", {"url": "postgresql://nowhere.invalid/x"}, None, TransientError, "cannot be reached"),
        ("password", {"url": url.replace("right", "wr0ng-one")}, None, RejectedError, "refuses the user or the password"),
        ("database", {"url": url.replace("/postgres", "/gone")}, None, RejectedError, "no such database"),
        ("schema", {"table": "gone.results"}, None, RejectedError, "no such schema.*CREATE SCHEMA"),
        ("rights", {"url": low, "table": "mine"}, None, RejectedError, "do too little with the table mine.*INSERT"),
        ("other table", {"table": "people"}, None, RejectedError, "people.*not one for results.*job and row"),
        ("no key", {"table": "loose"}, None, RejectedError, "not one for results"),
        ("a rule", {"table": "needy"}, None, RejectedError, 'has a rule.*"must"'),
        ("type", {"table": "strict"}, odd, RejectedError, r"does not fit its column.*score \(integer\).*TYPE text"),
        ("view", {"table": "looked"}, None, RejectedError, "looked"),
        ("wide", {"table": "wide"}, wide, RejectedError, "too many columns.*another name"),
    ]  # fmt: skip
    faults = []
    for name, settings, rows, kind, words in cases:
        sink = sink_for(**({"url": url} | settings))
        try:
            await sink.publish(sample_job(MemoryOutbox()), rows or many_rows(3))
            faults.append(f"{name}: taken")
        except (RejectedError, TransientError) as error:
            said = str(error)
            if type(error) is not kind or not re.search(words, said):
                faults.append(f"{name}: {error!r}")
            if "right" in said.replace("rights", "") or "wr0ng" in said or "secret words" in said:
                faults.append(f"{name} says too much: {said}")
    assert not faults, "\n".join(faults)
    assert await ask(url, "SELECT 1 FROM strict UNION ALL SELECT 1 FROM needy") == []


async def test_the_check_of_a_sink_leaves_nothing(url: str) -> None:
    assert await sink_for(url, table="checked").check() == ()
    assert await ask(url, "SELECT to_regclass('checked') AS found") == [{"found": None}]
    [said] = await sink_for(url.replace("right", "wrong")).check()
    assert "refuses the user" in said


async def test_a_server_that_goes_away_half_way_leaves_nothing_of_the_job(url: str) -> None:
    sink = sink_for(url, table="cut")
    await sink.publish(sample_job(MemoryOutbox(), job="first"), many_rows(3))
    rows = many_rows(5_000)
    killed: list[Any] = []

    def kill(number: int) -> None:
        if number == 4_000:
            ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%cut%'"
            killed.extend(asyncio.run(ask(url, ending)))

    rows.before = kill
    with pytest.raises(TransientError, match=r"127\.0\.0\.1"):
        await sink.publish(sample_job(MemoryOutbox(), job="second"), rows)
    assert killed
    assert await ask(url, "SELECT count(*) AS n FROM cut") == [{"n": 3}]
    await sink.publish(sample_job(MemoryOutbox(), job="second"), many_rows(5_000))
    assert await ask(url, "SELECT count(*) AS n FROM cut") == [{"n": 5_003}]


async def test_without_its_package_it_says_what_to_install(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    sink = sink_for(url)
    with pytest.raises(RejectedError, match=r"pip install 'batchd\[postgres\]'"):
        await sink.publish(sample_job(MemoryOutbox()), many_rows(1))
    assert len(await sink.check()) == 1
