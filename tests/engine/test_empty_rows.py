"""Rows with nothing to ask about are skipped: unasked, unpaid, counted, and no failures."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.routing import PluginSpec
from batchd.events import JobFinished, JobPlanned
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

pytestmark = pytest.mark.field("files")

NOTHING = {
    "no text": "",
    "spaces": "  \t ",
    "a no-break space": "\u00a0",
    "a zero width space": "\u200b",
    "a mark": "\ufeff",
    "a joiner and a direction": "\u2060\u200e\u200f",
    "a blank of Braille": "\u2800",
    "a filler of Hangul": "\u3164",
    "a soft hyphen": "\u00ad",
    "an ideographic space": "\u3000",
    "a selector": "\ufe0f",
}
SOMETHING = ("0", ".", "-", "N/A", "\u200bgood", "é")


def table(*reviews: str) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([("id", "review"), *enumerate(reviews)])
    return file.getvalue().encode()


def asked(house: Household) -> list[str]:
    return [text.removeprefix("Review: ") for text in house.asked()]


async def test_rows_with_nothing_to_ask_about_are_skipped(tmp_path: Path) -> None:
    house = Household(tmp_path)
    house.drop("reviews/may.csv", table(*NOTHING.values(), *SOMETHING))
    await house.work()
    assert asked(house) == list(SOMETHING)
    found = house.results()
    wrong = [name for name, row in zip(NOTHING, found, strict=False) if row["status"] != "skipped"]
    assert not wrong
    assert {row["status"] for row in found[len(NOTHING) :]} == {"ok"}
    assert all("nothing" in row["error"] or "empty" in row["error"] for row in found[: len(NOTHING)])
    assert "reviews/may.failed.csv" not in house.outbox()
    report = house.report("reviews/may.report.json")
    assert report["outcome"] == "done"
    assert report["rows"] == {
        "total": len(found),
        "ok": len(SOMETHING),
        "failed": 0,
        "skipped": len(NOTHING),
        "reused": 0,
    }
    assert report["empty_rows"] == len(NOTHING)
    assert report["failures"] == []
    [planned] = [each for each in house.events if isinstance(each, JobPlanned)]
    assert (planned.requests, planned.failed, planned.empty) == (len(SOMETHING), 0, len(NOTHING))
    assert f"{len(NOTHING)} rows with nothing to ask about will be skipped" in planned.sentence
    [finished] = [each for each in house.events if isinstance(each, JobFinished)]
    assert (finished.failed, finished.skipped) == (0, len(NOTHING))


async def test_a_file_of_nothing_but_such_rows_is_done(tmp_path: Path) -> None:
    house = Household(tmp_path)
    house.drop("reviews/may.csv", table("", " "))
    await house.work()
    assert not house.service.files
    assert house.report("reviews/may.report.json")["outcome"] == "done"
    assert [row["status"] for row in house.results()] == ["skipped", "skipped"]


async def test_a_route_may_ask_them(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[replace(REVIEWS, empty_rows="ask")])
    house.drop("reviews/may.csv", table("", "good"))
    await house.work()
    assert asked(house) == ["", "good"]
    assert {row["status"] for row in house.results()} == {"ok"}


async def test_dropped_again_they_are_not_asked_either(tmp_path: Path) -> None:
    house = Household(tmp_path)
    house.drop("reviews/may.csv", table("", "good"))
    await house.work()
    house.drop("reviews/again.csv", table("", "good"))
    house.drop("reviews/may.results.csv", house.outbox()["reviews/may.results.csv"])
    await house.work()
    assert asked(house) == ["good"]
    assert [row["status"] for row in house.results("reviews/again.results.csv")] == ["skipped", "ok"]
    assert house.report("reviews/again.report.json")["rows"]["skipped"] == 1
    assert [row["status"] for row in house.results("reviews/may.results.results.csv")] == ["skipped"]


COLUMNS: list[tuple[dict[str, Any], list[str]]] = [
    # The settings of a prompt, and the rows of a file (id, a, b) that it asks about.
    ({"user": "{{ a }}"}, ["1", "3"]),
    ({"user": "{{ a }} {{ b }}"}, ["1", "2", "3"]),
    ({"user": "{{ a|default('none') }}"}, ["1", "3"]),
    ({"user": "{{ row['a'] }}"}, ["1", "3"]),
    ({"user": "{% if b is defined %}{{ b }}{% endif %}"}, ["2", "3"]),
    ({"user": "{{ row|tojson }}"}, ["1", "2", "3", "4"]),
    ({"user": "Say a number."}, ["1", "2", "3", "4"]),
    ({"system": "About {{ b }}", "user": "{{ a }}"}, ["1", "2", "3"]),
    ({"input": ["b"]}, ["2", "3"]),
    ({"user": "{{ gone|default('') }}"}, ["1", "2", "3", "4"]),
]


@pytest.mark.slow
async def test_the_columns_of_the_question_decide(tmp_path: Path) -> None:
    faults = []
    for number, (settings, expected) in enumerate(COLUMNS):
        route = replace(REVIEWS, prompt=PluginSpec("template", settings))
        house = Household(tmp_path / str(number), routes=[route])
        house.drop("reviews/may.csv", "id,a,b\n1,x,\n2,,y\n3,x,y\n4,,\n")
        await house.work()
        got = [row["id"] for row in house.results() if row["status"] == "ok"]
        if got != expected:
            faults.append(f"{settings}: asked {got}, not {expected}")
    assert not faults, "\n".join(faults)


FILES = {
    "may.csv": "a,b\n1,x\n,\n \u00a0,\n2,y\n",
    "may.jsonl": '{"a": "1", "b": "x"}\n{"a": "", "b": null}\n{}\n{"a": "2", "b": "y"}\n',
    "may.json": '[{"a": "1", "b": "x"}, {"a": null, "b": " "}, {"a": "2", "b": "y"}]',
}


async def test_rows_of_nothing_but_empty_cells_are_no_rows_in_any_format(tmp_path: Path) -> None:
    route = replace(REVIEWS, prompt=PluginSpec("template", {"user": "{{ b }}"}))
    faults = []
    for name, content in FILES.items():
        house = Household(tmp_path / name, routes=[route])
        house.drop(f"reviews/{name}", content)
        await house.work()
        report = json.loads(next(text for file, text in house.outbox().items() if file.endswith(".json")))
        if report["rows"]["total"] != 2 or not report["reading"].get("blank_rows"):
            faults.append(f"{name}: {report['rows']} {report['reading']}")
    assert not faults, "\n".join(faults)
