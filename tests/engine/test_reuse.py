"""An identical request that was answered before is not asked again, in whatever job it stands, and however often we die."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.routing import Route
from batchd.model import Failure
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import Price
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

from .conftest import stops

DAY = 86_400.0
ROUTE = replace(REVIEWS, reuse=30 * DAY, sinks=("csv", "jsonl"))
PRICES = {"small": Price(Decimal(1_000_000), Decimal(1_000_000))}


def csv(*reviews: str) -> str:
    """A file of these reviews."""
    return "id,review\n" + "".join(f"{number},{review}\n" for number, review in enumerate(reviews))


async def work(house: Household, *files: tuple[str, str]) -> None:
    """Drop these files, one after the other, each worked on to its end."""
    for name, text in files:
        house.drop(f"reviews/{name}", text)
        await house.work()


def household(folder: Path, route: Route = ROUTE, **more: Any) -> Household:
    """A daemon that reuses answers."""
    return Household(folder, routes=[route], prices=PRICES, **more)


def answers(house: Household, name: str) -> list[str]:
    """The answers in a results file, in row order."""
    return [line.rsplit(",", 2)[0].rpartition(",")[2] for line in results(house, name)]


def results(house: Household, name: str) -> list[str]:
    """The rows of a results file."""
    return house.outbox()[f"reviews/{name}.results.csv"].decode().splitlines()[1:]


async def test_a_corrected_file_pays_for_the_changed_rows_alone(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("may.csv", csv("good", "bda", "fine")), ("may2.csv", csv("good", "bad", "fine")))
    assert house.service.executed.total() == 4
    assert answers(house, "may2") == ["re: Review: good", "re: Review: bad", "re: Review: fine"]
    report = house.report("reviews/may2.report.json")
    assert report["rows"] == {"total": 3, "ok": 3, "failed": 0, "skipped": 0, "reused": 2}
    # A row is 10 tokens in and 5 out, at a unit each.
    assert (report["cost"]["actual"], report["cost"]["saved"]) == (15.0, 30.0)
    assert house.report("reviews/may.report.json")["cost"]["saved"] == 0.0


async def test_rows_that_ask_the_same_are_asked_once(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("may.csv", csv("good", "bad", "good", "good")))
    assert house.service.executed.total() == 2
    assert answers(house, "may") == [f"re: Review: {review}" for review in ("good", "bad", "good", "good")]
    report = house.report("reviews/may.report.json")
    assert (report["rows"]["ok"], report["rows"]["reused"]) == (4, 2)
    assert (report["cost"]["actual"], report["cost"]["saved"]) == (30.0, 30.0)


async def test_each_row_is_under_its_own_id(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("a.csv", csv("good")), ("b.csv", csv("new", "good", "new")))
    lines = [json.loads(line) for line in house.outbox()["reviews/b.results.jsonl"].splitlines()]
    job = house.report("reviews/b.report.json")["job"]
    assert [line["custom_id"] for line in lines] == [f"{job}-0", f"{job}-1", f"{job}-2"]
    assert lines[1]["response"]["body"]["choices"][0]["message"]["content"] == "re: Review: good"


async def test_off_by_default(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, reuse=None))
    await work(house, ("a.csv", csv("good", "good")), ("b.csv", csv("good")))
    assert house.service.executed.total() == 3
    assert not (tmp_path / "state/answers.db").exists()


async def test_what_is_older_than_that_is_asked_again(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("a.csv", csv("good")))
    house.clock.advance(29 * DAY)
    await work(house, ("b.csv", csv("good", "x")))
    assert house.service.executed.total() == 2
    house.clock.advance(2 * DAY)
    await work(house, ("c.csv", csv("good", "y")))
    assert house.service.executed.total() == 4


@pytest.mark.parametrize(
    "other",
    [
        {"model": "large"},
        {"params": {"temperature": 1}},
        {"endpoint": "/v2/chat/completions"},
        {"prompt": replace(REVIEWS.prompt, settings={"user": "Review: {{ review }}", "system": "Be brief."})},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_another_request_is_another_request(tmp_path: Path, other: dict[str, Any]) -> None:
    house = household(tmp_path)
    await work(house, ("a.csv", csv("good")))
    house.routes = (replace(ROUTE, **other),)
    await work(house, ("b.csv", csv("good", "x")))
    assert house.service.executed.total() == 3


async def test_the_order_of_the_params_makes_no_other_request(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, params={"temperature": 0, "max_tokens": 5}))
    await work(house, ("a.csv", csv("good")))
    house.routes = (replace(ROUTE, params={"max_tokens": 5, "temperature": 0}),)
    await work(house, ("b.csv", csv("good", "x")))
    assert house.service.executed.total() == 2


async def test_a_failure_is_not_reused(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.service.answer = lambda _: Failure("refused", "No.")
    await work(house, ("a.csv", csv("good", "good")))
    assert house.report("reviews/a.report.json")["rows"]["failed"] == 2
    house.service.answer = lambda _: "yes"
    await work(house, ("b.csv", csv("good", "x")))
    assert answers(house, "b") == ["yes", "yes"]


async def test_an_answer_that_is_to_be_read_otherwise_is_read_otherwise_or_asked_again(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.service.answer = lambda body: "one|two" if "good" in body["messages"][-1]["content"] else "one"
    await work(house, ("a.csv", csv("good", "bad")))
    settings = {"user": "Review: {{ review }}", "columns": ["first", "second"], "separator": "|"}
    house.routes = (replace(ROUTE, prompt=replace(ROUTE.prompt, settings=settings), attempts=1),)
    await work(house, ("b.csv", csv("good", "bad", "x")))
    assert results(house, "b")[0] == "0,good,one,two,ok,"
    report = house.report("reviews/b.report.json")
    assert (report["rows"]["reused"], report["rows"]["failed"]) == (1, 2)


async def test_rows_wait_for_the_one_they_follow(tmp_path: Path) -> None:
    house = household(tmp_path)
    said = iter([Failure("busy", "Later.", transient=True), "now"])
    house.service.answer = lambda _: next(said)
    await work(house, ("a.csv", csv("good", "good", "good")))
    assert answers(house, "a") == ["now"] * 3
    assert house.service.executed.total() == 1


async def test_rows_share_the_last_word_of_the_one_they_follow(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, attempts=1))
    house.service.answer = lambda _: Failure("busy", "Later.", transient=True)
    await work(house, ("a.csv", csv("good", "good")))
    report = house.report("reviews/a.report.json")
    [failure] = report["failures"]
    assert (failure["code"], failure["rows"], failure["example"]) == ("busy", 2, "Later.")


async def test_a_row_that_cannot_be_asked_leads_nobody(tmp_path: Path) -> None:
    prompt = replace(ROUTE.prompt, settings={"user": "{{ review }}"})
    house = household(tmp_path, replace(ROUTE, prompt=prompt))
    house.limits = replace(house.limits, max_line_bytes=400)
    await work(house, ("a.csv", csv("x" * 500, "x" * 500, "good")))
    assert house.report("reviews/a.report.json")["rows"]["failed"] == 2


@pytest.mark.slow
async def test_stopped_after_any_action_nothing_is_asked_twice(tmp_path: Path) -> None:
    for stop in stops():
        house = household(tmp_path / str(stop), replace(ROUTE, part_rows=2))
        house.drop("reviews/a.csv", csv("good", "bad", "good", "fine"))
        async with house.living() as living:
            await living.take_in()
            done = await living.steps(stop)
        await work(house, ("b.csv", csv("bad", "good", "new")))
        assert answers(house, "a") == [f"re: Review: {review}" for review in ("good", "bad", "good", "fine")]
        assert answers(house, "b") == [f"re: Review: {review}" for review in ("bad", "good", "new")]
        assert max(house.service.executed.values()) == 1
        if done < stop:
            # Undisturbed, the first job was through before the second began.
            assert house.service.executed.total() == 4
            return


async def test_a_damaged_memory_costs_money_and_no_row(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("a.csv", csv("good")))
    for path in (tmp_path / "state").glob("answers.db*"):
        path.write_bytes(b"this is no database" * 500)
    await work(house, ("b.csv", csv("good", "x")), ("c.csv", csv("good", "y")))
    assert answers(house, "c") == ["re: Review: good", "re: Review: y"]
    # Asked again once, and remembered again.
    assert house.service.executed.total() == 4


async def test_the_story_tells_how_many_rows_had_been_asked_before(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("a.csv", csv("good", "bad")), ("b.csv", csv("good", "bad", "new")))
    told = [event.sentence for event in house.events if event.kind == "JobPlanned"]
    assert "before" not in told[0]
    assert told[1].endswith("2 rows had been asked before, and cost nothing.")


async def test_a_file_that_was_answered_as_a_whole_costs_nothing_whatever_the_budget(tmp_path: Path) -> None:
    house = household(tmp_path)
    await work(house, ("a.csv", csv("good", "bad")))
    house.budget = SpendingLimits(overall=Ceilings(per_job=0))
    await work(house, ("b.csv", csv("bad", "good")))
    cost = house.report("reviews/b.report.json")["cost"]
    assert (cost["actual"], cost["saved"]) == (0.0, 30.0)
    assert house.service.creates == 1


COLD = replace(ROUTE, reuse=None, params={"temperature": 0})


@pytest.mark.field("dropped again")
@pytest.mark.parametrize(
    ("route", "asked"),
    [
        (COLD, 2),
        (replace(COLD, params={"temperature": 0.0}), 2),
        (replace(COLD, params={"temperature": 0.7}), 4),
        (replace(COLD, params={}), 4),
        (replace(COLD, params={}, identical_rows="once"), 2),
        (replace(COLD, identical_rows="each"), 4),
    ],
)
async def test_identical_rows_are_asked_once_where_the_same_answer_would_come(
    tmp_path: Path, route: Route, asked: int
) -> None:
    house = household(tmp_path, route)
    await work(house, ("may.csv", csv("good", "bad", "good", "good")))
    assert house.service.executed.total() == asked
    assert answers(house, "may") == [f"re: Review: {review}" for review in ("good", "bad", "good", "good")]
    report = house.report("reviews/may.report.json")
    saved = 4 - asked
    assert (report["rows"]["ok"], report["rows"]["reused"]) == (4, saved)
    assert (report["tokens"]["saved_input"], report["tokens"]["saved_output"]) == (10 * saved, 5 * saved)
    assert report["cost"]["saved"] == 15.0 * saved
    assert not (tmp_path / "state/answers.db").exists()


@pytest.mark.field("dropped again")
async def test_lines_that_say_it_themselves_are_asked_once_and_others_each(tmp_path: Path) -> None:
    prompt = replace(ROUTE.prompt, kind="passthrough", settings={})
    house = household(tmp_path, replace(COLD, params={}, prompt=prompt, sinks=("jsonl",)))

    def line(number: int, **more: Any) -> str:
        body = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], **more}
        return json.dumps({"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body})

    lines = [line(1, temperature=0), line(2, temperature=0), line(3), line(4), line(5, temperature=0.5)]
    await work(house, ("may.jsonl", "\n".join(lines)))
    assert house.service.executed.total() == 4
    results = [json.loads(each) for each in house.outbox()["reviews/may.results.jsonl"].splitlines()]
    assert [each["custom_id"] for each in results] == [f"r{number}" for number in range(1, 6)]
