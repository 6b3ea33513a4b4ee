"""An answer in the wrong form is asked again with the reason: once an attempt, at its price, and however often we die."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from pathlib import Path

import pytest

from batchd.contracts import Limits
from batchd.domain.routing import PluginSpec
from batchd.model import Failure, Json
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.testing.fakes import FakeService
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

pytestmark = pytest.mark.field("questions")

SCHEMA = {"properties": {"mood": {"enum": ["good", "bad"]}}}
PROMPT = PluginSpec("template", {"user": "Review: {{ review }}", "schema": SCHEMA, "keep_answer": "said"})
ROUTE = replace(REVIEWS, prompt=PROMPT, params={"max_tokens": 10})
FAULT = "it does not fit the schema"


def service(asked: list[Json], *, learns: bool = True) -> FakeService:
    """Answers in the wrong word, and in the right one where it is told what was wrong."""

    def answer(body: dict[str, Json]) -> str | Failure:
        messages = body["messages"]
        asked.append(messages)
        text = messages[0]["content"]
        if "good" in text or (len(messages) == 3 and learns):
            return '{"mood": "good"}'
        return '{"mood": "lovely"}'

    return FakeService(answer)


async def finished(house: Household, *, stop_after: int | None = None, reviews: str = "good odd odd") -> list[str]:
    """The results, in lines, of a file with these reviews; the daemon is dropped once, after so many actions."""
    house.drop("reviews/may.csv", "id,review\n" + "".join(f"{n},{each}\n" for n, each in enumerate(reviews.split())))
    if stop_after is not None:
        async with house.living() as daemon:
            await daemon.take_in()
            await daemon.steps(stop_after)
    await house.work()
    return house.outbox()["reviews/may.results.csv"].decode().splitlines()


async def test_the_model_is_told_what_was_wrong(tmp_path: Path) -> None:
    asked: list[Json] = []
    lines = await finished(Household(tmp_path, service=service(asked), routes=[ROUTE]))
    assert lines[0] == "id,review,mood,said,status,error"
    assert lines[1:] == [
        f'{n},{text},good,"{{""mood"": ""good""}}",ok,' for n, text in enumerate(("good", "odd", "odd"))
    ]
    *first, second, third = sorted(asked, key=len)
    assert {len(each) for each in first} == {1}
    question, answer, told = second
    assert (question["content"], answer) == ("Review: odd", {"role": "assistant", "content": '{"mood": "lovely"}'})
    assert told["role"] == "user"
    assert told["content"].startswith("Your answer cannot be used: “mood” does not fit the schema: ")
    assert "lovely" in told["content"]
    assert second == third


async def test_an_answer_that_stays_wrong_is_kept_in_a_column(tmp_path: Path) -> None:
    asked: list[Json] = []
    lines = await finished(Household(tmp_path, service=service(asked, learns=False), routes=[ROUTE]))
    assert lines[2].startswith('1,odd,,"{""mood"": ""lovely""}",failed,"The answer could not be read: ')
    # Each time with the last answer alone: a request does not grow with the attempts.
    assert sorted(map(len, asked)) == [1, 1, 1, 3, 3, 3, 3]


async def test_it_is_paid_as_what_it_is_(tmp_path: Path) -> None:
    prices = {"small": Price(Decimal(1_000_000), Decimal(1_000_000))}
    asked: list[Json] = []
    house = Household(tmp_path, service=service(asked), routes=[ROUTE], prices=prices)
    await finished(house)
    report = house.report("reviews/may.report.json")
    assert report["cost"]["actual"] == 5 * 15.0


@pytest.mark.parametrize("rows", ["each", "once"])
async def test_rows_that_ask_the_same_are_corrected_together(tmp_path: Path, rows: str) -> None:
    asked: list[Json] = []
    house = Household(tmp_path, service=service(asked), routes=[replace(ROUTE, identical_rows=rows)])
    lines = await finished(house, reviews="odd odd odd odd good")
    assert all(",good," in line for line in lines[1:])
    assert len(asked) == {"each": 9, "once": 3}[rows]


async def test_a_row_that_got_no_answer_meanwhile_is_told_the_same_again(tmp_path: Path) -> None:
    asked: list[Json] = []
    fake = service(asked)
    learnt, tries = fake.answer, itertools.count()

    def answer(body: dict[str, Json]) -> str | Failure:
        if len(body["messages"]) == 3 and next(tries) == 0:
            asked.append(body["messages"])
            return Failure("server_error", "Try again.", transient=True)
        return learnt(body)

    fake.answer = answer
    lines = await finished(Household(tmp_path, service=fake, routes=[ROUTE]), reviews="odd")
    assert lines[1].startswith("0,odd,good,")
    assert [len(each) for each in asked] == [1, 3, 3]
    assert asked[1] == asked[2]


async def test_what_a_cut_part_is_told_goes_with_its_pieces(tmp_path: Path) -> None:
    asked: list[Json] = []
    # With the corrections, three rows are more bytes than a batch takes.
    house = Household(tmp_path, service=service(asked), routes=[ROUTE], limits=Limits(max_bytes=1_700))
    lines = await finished(house, reviews="odd odd2 odd3")
    assert all(",good," in line for line in lines[1:])
    assert sorted(map(len, asked)) == [1, 1, 1, 3, 3, 3]


@pytest.mark.slow
async def test_dropped_after_any_action_nothing_is_asked_twice(tmp_path: Path) -> None:
    plain: list[Json] = []
    expected = await finished(Household(tmp_path / "plain", service=service(plain), routes=[ROUTE]))
    for stop_after in range(7, 18, 2):  # before, while and after the correction is written, planned and asked
        asked: list[Json] = []
        fake = service(asked)
        house = Household(tmp_path / str(stop_after), service=fake, routes=[ROUTE])
        assert await finished(house, stop_after=stop_after) == expected, stop_after
        assert sorted(map(json.dumps, asked)) == sorted(map(json.dumps, plain)), stop_after


async def test_a_budget_that_has_no_room_for_the_longer_request_holds_it(tmp_path: Path) -> None:
    prices = {"small": Price(Decimal(1_000_000), Decimal(1_000_000))}
    long = "wrong " * 400
    asked: list[Json] = []

    def answer(body: dict[str, Json]) -> str:
        asked.append(body["messages"])
        return long

    budget = SpendingLimits(overall=Ceilings(per_job=300 * UNIT))
    house = Household(tmp_path, service=FakeService(answer), routes=[ROUTE], prices=prices, budget=budget)
    house.drop("reviews/may.csv", "id,review\n0,odd\n")
    await house.work()
    assert [len(each) for each in asked] == [1]
    assert [each.name for each in (tmp_path / "held").rglob("*may*")]
