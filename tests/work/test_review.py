"""A sample of answers for people to check, and what they wrote into it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from batchd.errors import FileRefused
from batchd.model import Failure
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace
from batchd.work.review import read_review

FAILED = {3, 4, 17}


async def household(tmp_path: Path, number: int) -> Household:
    def answer(body):
        row = int(body["messages"][-1]["content"].split()[-1])
        return Failure("refused", "No.") if row in FAILED else f"=answer {row}"

    house = Household(tmp_path / "house")
    house.service.answer = answer
    house.routes = tuple(replace(route, review=number, part_rows=7) for route in house.routes)
    house.drop("reviews/may.csv", "agree;review\n" + "".join(f"x;row {row}\n" for row in range(20)))
    async with house.living() as living:
        await living.take_in()
        await living.drain()
    return house


def sampled(house: Household) -> list[dict[str, str]]:
    text = house.outbox()["reviews/may.review.csv"].decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines(), delimiter=","))


async def test_answered_rows_from_all_over_the_file_are_in_it(tmp_path: Path) -> None:
    rows = sampled(await household(tmp_path, 5))
    assert [row["review"] for row in rows] == ["row 0", "row 5", "row 8", "row 12", "row 15"]
    assert list(rows[0]) == ["agree", "review", "answer", "agree (2)", "comment", "status", "error"]
    assert rows[0]["answer"] == "'=answer 0"
    assert {row["agree (2)"] + row["comment"] for row in rows} == {""}


async def test_all_answered_rows_are_in_it_if_there_are_fewer(tmp_path: Path) -> None:
    rows = sampled(await household(tmp_path, 100))
    assert [int(row["review"].split()[1]) for row in rows] == [row for row in range(20) if row not in FAILED]


async def test_it_opens_by_a_double_click_where_the_results_do(tmp_path: Path) -> None:
    found = {}
    for sinks in (("csv",), ("same",)):
        house = Household(tmp_path / sinks[0], routes=[replace(REVIEWS, sinks=sinks, review=1)])
        house.drop("reviews/may.csv", "\ufeffid;review\r\n1;Größe, gut\r\n".encode())
        async with house.living() as living:
            await living.take_in()
            await living.drain()
        found[sinks[0]] = house.outbox()["reviews/may.review.csv"].decode().splitlines()[0]
    names = ["\ufeffid", "review", "answer", "agree", "comment", "status", "error"]
    assert found == {"csv": ",".join(names), "same": ";".join(names)}


async def test_a_route_without_it_has_none(tmp_path: Path) -> None:
    assert "reviews/may.review.csv" not in (await household(tmp_path, 0)).outbox()


def test_what_people_wrote_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "may.review.csv"
    path.write_text(
        "agree,review,agree (2),Comment\nx,a,Yes,\nx,b,đúng,fine\nx,c, no ,\nx,d,,\nx,e,perhaps,\nx,f\n", "utf-8"
    )
    reviewed = read_review(path)
    assert (reviewed.rows, reviewed.agreed, reviewed.disagreed) == (6, 2, 1)
    assert reviewed.unread == [(5, "perhaps")]
    assert reviewed.comments == [(2, "fine")]
    share = reviewed.share
    assert share is not None
    assert [round(each, 3) for each in share] == [0.667, 0.208, 0.939]


def test_another_file_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    path.write_text("review\na\n", "utf-8")
    with pytest.raises(FileRefused, match="no column agree"):
        read_review(path)
