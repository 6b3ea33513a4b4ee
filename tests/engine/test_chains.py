"""Chains: the answered rows of a route are the input of the next, each is paid once a step, and one job delivers all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.routing import PluginSpec, Route
from batchd.model import Failure
from batchd.money.budget import Ceilings, SpendingLimits, counted
from batchd.money.pricing import Price
from batchd.status.overview import JobDetails, Overview
from batchd.status.places import Places
from batchd.testing.fakes import FakeService
from batchd.testing.household import REVIEWS, Household, Living
from batchd.values import replace

from .conftest import stops
from .test_budget import order

pytestmark = pytest.mark.field("questions")

FIRST = replace(REVIEWS, then="why", part_rows=3, prompt=PluginSpec("template", {"user": "Rate: {{ review }}"}))
WHY = Route(
    name="why",
    match=("why/**",),
    provider="fake",
    model="large",
    prompt=PluginSpec("template", {"user": "Why {{ answer }}: {{ review }}", "columns": ["reason"]}),
    part_rows=2,
)
FILE = "id,review\n1,good\n2,refused\n3,fine\n4,\n5,odd\n6,{{ id }}\n"


def rating(body: Mapping[str, Any]) -> str | Failure:
    """Refuses one row in the first step, and another in the second."""
    text = body["messages"][-1]["content"]
    if "refused" in text or ("odd" in text and text.startswith("Why")):
        return Failure("content_policy", "This will not be answered.")
    return f"<{text}>" if text.startswith("Why") else f"rated {text.removeprefix('Rate: ')}"


def household(folder: Path, **more: Any) -> Household:
    return Household(folder, **{"routes": [FIRST, WHY], "service": FakeService(rating), **more})


async def give(daemon: Living, kind: str, job: str) -> str:
    answer = await order(daemon, kind, job)
    await daemon.drain()
    return answer


async def test_answered_rows_go_on_and_one_job_delivers_all(tmp_path: Path) -> None:
    house = household(tmp_path, prices={"small": PRICE, "large": PRICE})
    house.drop("reviews/may.csv", FILE)
    await house.work()
    rows = house.results()
    assert list(rows[0]) == ["id", "review", "answer", "reason", "status", "error"]
    assert [(row["status"], row["answer"], row["reason"]) for row in rows] == [
        ("ok", "rated good", "<Why rated good: good>"),
        ("failed", "", ""),
        ("ok", "rated fine", "<Why rated fine: fine>"),
        ("skipped", "", ""),
        ("failed", "rated odd", ""),
        ("ok", "rated {{ id }}", "<Why rated {{ id }}: {{ id }}>"),
    ]
    assert "step why" in rows[4]["error"]
    assert sorted(house.outbox()) == [
        "reviews/may.failed.csv",
        "reviews/may.report.json",
        "reviews/may.results.csv",
    ]
    assert house.outbox()["reviews/may.failed.csv"].decode().splitlines() == ["id,review", "2,refused", "5,odd"]
    report = house.report("reviews/may.report.json")
    assert report["rows"] == {"total": 6, "ok": 3, "failed": 2, "skipped": 1, "reused": 0}
    [step] = report["steps"]
    assert (step["route"], step["model"]) == ("why", "large")
    assert step["rows"] == {"total": 4, "ok": 3, "failed": 1, "skipped": 0}
    first = report["first_step"]
    assert (first["route"], first["model"]) == ("reviews", "small")
    assert first["rows"] == {"total": 6, "ok": 4, "failed": 1, "skipped": 1}
    costs = [each["cost"]["actual"] for each in (first, step)]
    assert {first["model"]: costs[0], step["model"]: costs[1]} == {
        each["model"]: each["cost"] for each in report["answered_by"]
    }
    assert sum(costs) == pytest.approx(report["cost"]["actual"])
    assert sum(each["tokens"]["output"] for each in (first, step)) == report["tokens"]["output"]
    assert {each["model"] for each in report["answered_by"]} == {"small", "large"}
    assert set(Counter(house.asked()).values()) == {1}
    assert [path.name for path in (house.folders.archive / "reviews").iterdir()] == ["may.csv"]


async def test_nothing_is_kept_in_memory_of_steps_that_have_ended(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", FILE)
    async with house.at_rest() as daemon:
        assert [
            job.family
            for each in await daemon.context.store.jobs.ids()
            if (job := await daemon.context.store.jobs.get(each)).family
        ]
        assert daemon.context.pieces == {}


async def test_three_steps_and_steps_without_rows(tmp_path: Path) -> None:
    third = replace(WHY, name="sum", then=None, prompt=PluginSpec("template", {"user": "Sum: {{ reason }}"}))
    routes = [FIRST, replace(WHY, then="sum"), third]
    house = household(tmp_path, routes=routes)
    house.drop("reviews/may.csv", "id,review\n1,good\n2,odd\n")
    house.drop("reviews/none.csv", "id,review\n1,refused\n")
    await house.work()
    first, second = house.results()
    assert (first["answer (2)"], first["status"]) == ("rated Sum: <Why rated good: good>", "ok")
    assert (second["reason"], second["answer"], second["status"]) == ("", "rated odd", "failed")
    assert house.report("reviews/none.report.json")["outcome"] == "failed"
    assert [row["status"] for row in house.results("reviews/none.results.csv")] == ["failed"]


@pytest.mark.slow
async def test_killed_after_any_action_it_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    expected: list[dict[str, str]] = []
    for stop in stops():
        house = household(tmp_path / str(stop))
        house.drop("reviews/may.csv", FILE)
        over = False
        async with house.living() as daemon:
            await daemon.take_in()
            for _ in range(stop):
                over = over or await daemon.step() is None
        await house.work()
        expected = expected or house.results()
        assert house.results() == expected, f"killed after {stop} actions"
        assert set(Counter(house.asked()).values()) == {1}, f"paid twice, killed after {stop} actions"
        if over:
            assert stop > 20
            return


async def test_a_retry_asks_what_failed_in_each_step_and_only_that_goes_on(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", FILE)
    await house.work()
    house.service.answer = lambda body: "better"
    before = Counter(house.asked())
    async with house.living() as daemon:
        [job] = {each.job for each in house.events if each.kind == "JobFinished"}
        await give(daemon, "retry", str(job))
    again = Counter(house.asked()) - before
    assert again == Counter(["Rate: refused", "Why better: refused", "Why rated odd: odd"])
    rows = house.results("reviews/may (2).results.csv")
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "skipped", "ok", "ok"]
    assert (rows[1]["answer"], rows[1]["reason"], rows[4]["answer"], rows[4]["reason"]) == (
        "better",
        "better",
        "rated odd",
        "better",
    )


async def test_dropped_again_no_step_is_paid_again(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", FILE)
    await house.work()
    before = Counter(house.asked())
    house.drop("reviews/again.csv", FILE)
    await house.work()
    assert Counter(house.asked()) - before == Counter(["Rate: refused", "Why rated odd: odd"])
    assert house.results("reviews/again.results.csv") == house.results()


async def test_a_file_without_a_column_of_a_later_step_is_handed_back_before_it_costs(tmp_path: Path) -> None:
    why = replace(WHY, prompt=PluginSpec("template", {"user": "{{ title }} {{ answer }}"}))
    house = household(tmp_path, routes=[FIRST, why])
    house.drop("reviews/may.csv", FILE)
    await house.work()
    said = (house.folders.rejected / "reviews/may.csv.why.txt").read_text()
    assert "“title”" in said
    assert "route why" in said
    assert not Counter(house.asked())


def places(house: Household) -> Places:
    folders = house.folders
    return Places(house.folder / "c", house.folder / "state", folders.outbox, folders.archive, folders.rejected, "USD")


PRICE = Price(Decimal(1), Decimal(1))
MONEY: dict[str, Any] = {"prices": {"small": PRICE, "large": PRICE}}


def limited(units: str, *, of: str | None = None) -> SpendingLimits:
    ceilings = Ceilings(per_job=counted(units, "USD"))
    return SpendingLimits(overall=ceilings) if of is None else SpendingLimits(routes={of: ceilings})


async def test_per_job_limits_all_steps_together(tmp_path: Path) -> None:
    routes = [replace(FIRST, params={"max_tokens": 100}), replace(WHY, params={"max_tokens": 300})]
    for number, budget in enumerate((limited("0.0008"), limited("0.0008", of="reviews"))):
        house = household(tmp_path / str(number), routes=routes, budget=budget, **MONEY)
        house.drop("reviews/may.csv", FILE)
        async with house.at_rest() as daemon:
            assert {text.split()[0] for text in Counter(house.asked())} == {"Rate:"}
            look = Overview.take(places(house))
            [job] = look.unfinished
            assert look.job_record(job)["in_words"] == "held"
            assert "the step why" in str(look.waits_for(job))
            assert "per_job" in str(look.waits_for(job))
            [note] = house.folders.held.rglob("*.held.txt")
            assert "before its next step, why" in note.read_text()
            await give(daemon, "approve", job.id)
        assert [row["status"] for row in house.results()].count("ok") == 3


async def test_a_chain_is_cancelled_as_one(tmp_path: Path) -> None:
    routes = [replace(FIRST, params={"max_tokens": 100}), replace(WHY, params={"max_tokens": 300})]
    house = household(tmp_path, routes=routes, budget=limited("0.0008"), **MONEY)
    house.drop("reviews/may.csv", FILE)
    async with house.at_rest() as daemon:
        [held] = await daemon.context.store.money.held()
        await give(daemon, "cancel", held.id)
        look = Overview.take(places(house))
        [job] = look.finished
        assert not look.unfinished
        assert job.state == "cancelled"
        details = JobDetails.take(places(house), job.id)
    assert len(details.batches) == 1
    assert [(row["status"], row["answer"]) for row in house.results()] == [
        ("skipped", "rated good"),
        ("failed", ""),
        ("skipped", "rated fine"),
        ("skipped", ""),
        ("skipped", "rated odd"),
        ("skipped", "rated {{ id }}"),
    ]
    rows = house.report("reviews/may.report.json")["rows"]
    assert (rows["ok"], rows["failed"], rows["skipped"]) == (0, 1, 5)
