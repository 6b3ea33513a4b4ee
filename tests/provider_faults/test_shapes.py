"""Answers in the shapes of real services, through the whole daemon: what a row gets, how often it was executed, its cost."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from batchd.domain.routing import PluginSpec
from batchd.model import Limits
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd_sandbox.answers.responder import Message, respond
from batchd_sandbox.answers.shapes import SHAPES
from batchd_sandbox.answers.shapes.usage import USAGE

from ..engine.conftest import route
from .conftest import MakePair, Pair
from .shape_table import EXPECTED

pytestmark = [pytest.mark.slow, pytest.mark.field("answers")]

SCHEMA = {
    "properties": {
        "label": {"type": "string", "enum": ["good", "bad"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
    }
}
TOOL = {"type": "function", "function": {"name": "label", "parameters": {"type": "object", **SCHEMA}}}
PRICES = {"small": Price(Decimal(10), Decimal(100), cached_input=Decimal(1))}
SHAPED = {"user": "{{ review }}"}
LIMIT = {"max_tokens": 400}
ATTEMPTS = 2


def routes(**changes: Any) -> tuple[Any, ...]:
    """A route for each kind of request."""
    every: dict[str, Any] = {"part_rows": 1_000, "attempts": ATTEMPTS, "params": LIMIT, **changes}
    tools = {**every["params"], "tools": [TOOL]}
    structured = PluginSpec("template", {**SHAPED, "schema": SCHEMA})
    return (
        route(name="text", match=("text/**",), prompt=PluginSpec("template", SHAPED), **every),
        route(name="json", match=("json/**",), prompt=structured, **every),
        route(name="tools", match=("tools/**",), prompt=structured, **(every | {"params": tools})),
    )


def names(asks: str) -> list[str]:
    """The shapes for one kind of request."""
    return [shape.name for shape in SHAPES.values() if shape.asks == asks]


def question(name: str) -> str:
    return f"Nice and cheap <shape {name}>"


def file_of(shapes: list[str]) -> str:
    return "review\n" + "".join(f"{question(name)}\n" for name in shapes)


async def asked(pair: Pair, asks: str, shapes: list[str]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The rows and the report of a file with one row for each shape."""
    pair.household.drop(f"{asks}/may.csv", file_of(shapes))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
    text = pair.household.outbox()[f"{asks}/may.results.csv"].decode()
    return list(csv.DictReader(io.StringIO(text))), pair.household.report(f"{asks}/may.report.json")


@pytest.mark.field("money")
@pytest.mark.parametrize("asks", ["text", "json", "tools"])
async def test_each_shape_gives_its_row_what_the_page_says_and_is_executed_so_often(
    make_pair: MakePair, asks: str
) -> None:
    pair = await make_pair("line:shapes", routes=routes(), prices=PRICES)
    shapes = names(asks)
    rows, report = await asked(pair, asks, shapes)
    wrong = [f"{name}: {row}" for name, row in zip(shapes, rows, strict=True) if not as_expected(name, row, asks)]
    assert not wrong, "\n".join(wrong)
    failures = {each["code"]: each["rows"] for each in report["failures"]}
    expected = [EXPECTED[name].code for name in shapes if EXPECTED[name].code]
    assert failures == {code: expected.count(code) for code in expected}
    ledger = await pair.sandbox.ledger()
    [job] = {event.job for event in pair.household.events if event.job}
    again = [f"{job}-{number}" for number, name in enumerate(shapes) if EXPECTED[name].again]
    assert ledger["executed_twice"] == sorted(again)
    assert ledger["requests_executed"] == len(shapes) + len(again)
    planned = sum(EXPECTED[name].planned for name in shapes)
    assert report["tokens"]["estimated_answers"] == planned
    bill = ledger["tokens"]
    if not planned:
        assert [report["tokens"][key] for key in ("input", "cached_input", "output")] == list(bill.values())
    # Of the answers that nobody counted, each costs all that it was planned to cost.
    assert report["tokens"]["input"] >= bill["input"]
    assert report["tokens"]["output"] >= bill["output"]
    assert report["tokens"]["output"] <= bill["output"] + planned * LIMIT["max_tokens"]
    assert report["tokens"]["cached_input"] <= bill["cached"]


def as_expected(name: str, row: dict[str, str], asks: str) -> bool:
    """Whether a delivered row is what the table says."""
    gets = EXPECTED[name]
    if gets.code is not None:
        return row["status"] == "failed" and bool(row["error"])
    if asks == "text":
        answer = "4" if name == "content-number" else respond([Message("user", question(name))])
        return (row["status"], row["answer"]) == ("ok", answer)
    return row["status"] == "ok" and row["label"] in {"good", "bad"} and row["score"].isdigit()


@pytest.mark.field("money")
async def test_report_and_ledger_are_the_bill_of_the_service_for_each_shape_of_usage(make_pair: MakePair) -> None:
    pair = await make_pair("line:shapes", routes=routes(part_rows=1), prices=PRICES, limits=Limits(max_requests=1))
    shapes = [shape.name for shape in USAGE]
    rows, report = await asked(pair, "text", shapes)
    assert {row["status"] for row in rows} == {"ok"}
    ledger = await pair.sandbox.ledger()
    bills = {value: batch["tokens"] for batch in ledger["batches"] for value in batch["metadata"].values()}
    with closing(sqlite3.connect(pair.household.folder / "state/batchd.db")) as database:
        database.row_factory = sqlite3.Row
        spent = {row["first"]: dict(row) for row in database.execute("SELECT * FROM spending")}
    total = 0
    for number, name in enumerate(shapes):
        line, bill = spent[number], bills[spent[number]["batch"]]
        cost = (bill["input"] - bill["cached"]) * 10 + bill["cached"] + bill["output"] * 100
        total += line["cost"]
        assert line["estimated"] == EXPECTED[name].planned, name
        if EXPECTED[name].planned:
            # All that it may have been: never less than the bill.
            assert line["output_tokens"] == LIMIT["max_tokens"], name
            assert line["input_tokens"] >= bill["input"], name
            assert line["cost"] >= cost * UNIT // 1_000_000, name
        else:
            ours = [line["input_tokens"], line["cached_tokens"], line["output_tokens"]]
            assert (name, ours) == (name, [bill["input"], bill["cached"], bill["output"]])
            assert line["cost"] == cost * UNIT // 1_000_000, name
    assert report["cost"]["actual"] == pytest.approx(total / UNIT)
    assert report["tokens"]["estimated_answers"] == sum(EXPECTED[name].planned for name in shapes)


@pytest.mark.field("money")
async def test_a_job_whose_answers_nobody_counted_costs_what_it_was_planned_to_cost_at_most(
    make_pair: MakePair,
) -> None:
    pair = await make_pair("line:shapes", routes=routes(), prices=PRICES)
    _, report = await asked(pair, "text", ["usage-null", "usage-missing", "usage-zeros", "usage-empty", "usage-words"])
    assert report["cost"]["actual"] == report["cost"]["estimated"] > 0
    assert report["tokens"]["estimated_answers"] == report["rows"]["ok"] == 5


@pytest.mark.field("money")
async def test_a_daily_budget_holds_though_the_service_counts_nothing(make_pair: MakePair) -> None:
    limits = SpendingLimits(overall=Ceilings(per_day=UNIT // 10))
    pair = await make_pair("line:shapes", routes=routes(), prices=PRICES, budget=limits)
    async with pair.household.living() as daemon:
        for number in range(3):  # each costs at most 0.04 and a little; the third would go over the 0.10 of the day
            pair.household.drop(f"text/{number}.csv", f"review\n{number} {question('usage-null')}\n")
            await daemon.take_in()
            await pair.drain(daemon)
    assert sorted(pair.household.outbox()) == [
        f"text/{number}.{suffix}" for number in range(2) for suffix in ("report.json", "results.csv")
    ]
    assert "JobHeld" in pair.told
    ledger = await pair.sandbox.ledger()
    assert ledger["requests_executed"] == 2
    assert pair.household.report("text/1.report.json")["tokens"]["estimated_answers"] == 1


def test_the_sandbox_plays_forty_shapes_at_least() -> None:
    assert len(SHAPES) >= 40
    assert EXPECTED.keys() == SHAPES.keys()


@pytest.mark.field("money")
async def test_a_line_that_was_cut_off_was_paid_for_all_the_same(make_pair: MakePair) -> None:
    pair = await make_pair("line:not-json:lines=1", routes=routes(), prices=PRICES)
    _, report = await asked(pair, "text", ["think", "finish-null", "finish-STOP"])
    bill = (await pair.sandbox.ledger())["tokens"]
    assert (report["rows"]["ok"], report["tokens"]["estimated_answers"]) == (3, 1)
    assert report["tokens"]["input"] >= bill["input"]
    assert report["tokens"]["output"] >= bill["output"]
    assert report["tokens"]["wasted_output"] == LIMIT["max_tokens"]


async def test_the_advice_for_a_cut_answer_names_the_key_of_the_route(make_pair: MakePair) -> None:
    pair = await make_pair("line:shapes", routes=routes(params={"max_completion_tokens": 400}))
    rows, _ = await asked(pair, "text", ["finish-length"])
    assert "raise max_completion_tokens in the table" in rows[0]["error"]
