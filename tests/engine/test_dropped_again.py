"""What batchd delivered is dropped again: failed rows, and results as they are or edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.records import JobState
from batchd.domain.routing import PluginSpec
from batchd.events import Event, JobRejected
from batchd.model import Failure
from batchd.status.overview import JobDetails
from batchd.status.places import Places
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

from .conftest import stops
from .test_faults import order

pytestmark = pytest.mark.field("dropped again")

WINDOWS = replace(REVIEWS, reader=PluginSpec("csv", {"encoding": "cp1252", "delimiter": ";"}))
WRONG, RIGHT = "id,wrong\n1,x\n", "id,review\n1,x\n"
TEXT = "id;review\r\n1;für Anna\r\n2;schön\r\n"


def asked(house: Household) -> list[str]:
    """What was asked, in order."""
    return [text.removeprefix("Review: ") for text in house.asked()]


def refuse(body: Mapping[str, Any]) -> Failure | str:
    """The answer of a service that does not like Anna."""
    return Failure("refused", "No.") if "Anna" in body["messages"][-1]["content"] else "good"


async def test_failed_csv_of_a_windows_route_is_asked_as_it_was(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[WINDOWS])
    house.service.answer = refuse
    house.drop("reviews/may.csv", TEXT.encode("cp1252"))
    await house.work()
    failed = house.outbox()["reviews/may.failed.csv"]
    assert failed == "id;review\r\n1;für Anna\r\n".encode("cp1252")
    house.drop("reviews/may.failed.csv", failed)
    await house.work()
    assert asked(house) == ["für Anna", "schön", "für Anna"]


@pytest.mark.parametrize("route", [WINDOWS, REVIEWS], ids=["windows", "utf-8"])
@pytest.mark.parametrize("edit", ["as it is", "corrected", "saved by Excel"])
async def test_results_ask_only_rows_without_an_answer(tmp_path: Path, route: Any, edit: str) -> None:
    house = Household(tmp_path, routes=[route])
    house.service.answer = refuse
    text = TEXT if route is WINDOWS else TEXT.replace(";", ",")
    house.drop("reviews/may.csv", text.encode("cp1252" if route is WINDOWS else "utf-8"))
    await house.work()
    results = house.outbox()["reviews/may.results.csv"].decode("utf-8-sig")
    if edit != "as it is":
        results = results.replace("für Anna", "für Anne")
    if edit == "saved by Excel":
        results = "\ufeff" + results.replace(",", ";").replace("\n", "\r\n")
    elif route is WINDOWS:
        results = "\ufeff" + results  # as it was delivered
    house.drop("reviews/may.results.csv", results)
    await house.work()
    assert asked(house) == ["für Anna", "schön", "für Anna" if edit == "as it is" else "für Anne"]
    again = house.outbox()["reviews/may.results.results.csv"].decode("utf-8-sig").splitlines()
    assert again[0] == "id,review,answer,status,error"
    assert len(again) == 2
    assert house.report("reviews/may.results.report.json")["reading"]["answered_before"] == 1


async def test_results_without_a_row_to_ask_come_back_with_why(tmp_path: Path) -> None:
    house = Household(tmp_path)
    house.drop("reviews/may.results.csv", "id,review,answer,status,error\n1,fine,good,ok,\n")
    await house.work()
    assert "nothing is left to ask" in (house.folders.rejected / "reviews/may.results.csv.why.txt").read_text()


@pytest.mark.parametrize(
    ("name", "header", "kept"),
    [
        ("may.results.csv", "review,answer,status,error,answer (2),status (2),error (2)", "review,answer,status,error"),
        ("may (2).results (1).csv", "status,review,answer,status (2),error", "status,review"),
        ("may.results.csv", "review,status", "review"),
        ("May.Results - Copy.csv", "review,answer,status,error", "review"),
        # A file of somebody else.
        ("may.csv", "review,answer,status,error", "review,answer,status,error"),
        ("exam results.csv", "review,answer,status,error", "review,answer,status,error"),
    ],
)
async def test_what_is_ours_in_a_file_of_results(tmp_path: Path, name: str, header: str, kept: str) -> None:
    house = Household(tmp_path)
    house.drop(f"reviews/{name}", f"{header}\n{','.join(header.split(',')).replace('status', 'failed')}\n")
    async with house.at_rest() as daemon:
        [job] = [await daemon.context.store.jobs.get(each) for each in await daemon.context.store.jobs.ids()]
    assert list(job.columns) == kept.split(",")


async def test_the_report_says_what_it_replaces(tmp_path: Path) -> None:
    house = Household(tmp_path)
    for review in ("good", "better", "best"):
        house.drop("reviews/may.csv", f"id,review\n1,{review}\n")
        await house.work()
    replaced = [house.report(f"reviews/{name}.report.json")["replaces"] for name in ("may", "may (2)", "may (3)")]
    assert replaced == [None, "reviews/may", "reviews/may (2)"]


async def test_a_rejected_file_is_put_away_once_one_of_its_name_is_answered(tmp_path: Path) -> None:
    house = Household(tmp_path)
    for name in ("may", "june"):
        house.drop(f"reviews/{name}.csv", "id,wrong\n1,x\n")
    await house.work()
    rejected = house.folders.rejected / "reviews"
    assert sorted(path.name for path in rejected.iterdir()) == [
        "june.csv", "june.csv.why.txt", "may.csv", "may.csv.why.txt"
    ]  # fmt: skip
    house.drop("reviews/may.csv", "id,review\n1,x\n")
    await house.work()
    assert sorted(path.name for path in rejected.iterdir()) == ["june.csv", "june.csv.why.txt"]
    archive = house.folders.archive / "reviews"
    assert (archive / "may.csv").read_text() == "id,review\n1,x\n"
    [may, june] = [
        str(event.job) for name in ("may", "june") for event in house.events if rejects(event, f"reviews/{name}.csv")
    ]
    put_away = archive / f"may (rejected {may}).csv"
    assert put_away.read_text() == "id,wrong\n1,x\n"
    # What is known of the job says where the file is now.
    places = Places(tmp_path / "c", tmp_path / "state", house.folders.outbox, archive.parent, rejected.parent, "USD")
    assert JobDetails.take(places, may).original() == str(put_away)
    assert JobDetails.take(places, june).original() == str(rejected / "june.csv")


async def test_a_purge_names_a_rejected_file_that_was_put_away(tmp_path: Path) -> None:
    house = Household(tmp_path)
    for text in (WRONG, RIGHT):
        house.drop("reviews/may.csv", text)
        await house.work()
    [job] = [str(event.job) for event in house.events if rejects(event, "reviews/may.csv")]
    async with house.living() as daemon:
        await order(daemon, "purge", job)
        await daemon.drain()
    [yours] = [event.data()["yours"] for event in house.events if event.kind == "JobPurged"]
    assert yours == [str(house.folders.archive / "reviews" / f"may (rejected {job}).csv")]


async def test_a_name_that_is_rejected_time_and_again_is_put_away_for_each_job(tmp_path: Path) -> None:
    house = Household(tmp_path)
    for text in (WRONG, RIGHT) * 2:
        house.drop("reviews/may.csv", text)
        await house.work()
    assert not list((house.folders.rejected / "reviews").iterdir())
    names = [f"may (rejected {event.job}).csv" for event in house.events if rejects(event, "reviews/may.csv")]
    assert [name for name in names if (house.folders.archive / "reviews" / name).exists()] == names
    assert len(names) == 2


async def test_a_file_that_is_rejected_while_one_of_its_name_is_asked_stays_with_its_note(tmp_path: Path) -> None:
    house = Household(tmp_path)
    for text in (WRONG, RIGHT):
        house.drop("reviews/may.csv", text)
        await house.work()
    async with house.living() as daemon:
        for text, state in ((RIGHT, JobState.CLAIMED), (WRONG, JobState.REJECTED)):
            house.drop("reviews/may.csv", text)
            await daemon.take_in()
            *_, last = sorted(await daemon.context.store.jobs.ids())
            while (await daemon.context.store.jobs.get(last)).state is not state:
                due = (await daemon.engine.look()).due
                await daemon.engine.perform(next(each for each in due if getattr(each.action, "job", None) == last))
        await daemon.drain()
    assert [event.kind for event in house.events if event.kind in {"JobRejected", "JobFinished"}] == [
        "JobRejected", "JobFinished", "JobRejected", "JobFinished"
    ]  # fmt: skip
    rejected = house.folders.rejected / "reviews"
    assert sorted(path.name for path in rejected.iterdir()) == ["may.csv", "may.csv.why.txt"]


def rejects(event: Event, source: str) -> bool:
    return isinstance(event, JobRejected) and event.source == source


async def test_a_rejected_file_stays_while_none_of_its_name_is_answered(tmp_path: Path) -> None:
    house = Household(tmp_path)
    house.service.answer = lambda _: Failure("refused", "No.")
    house.drop("reviews/may.csv", "id,wrong\n1,x\n")
    await house.work()
    house.drop("reviews/may.csv", "id,review\n1,x\n")
    await house.work()
    assert (house.folders.rejected / "reviews/may.csv.why.txt").exists()


@pytest.mark.slow
async def test_stopped_after_any_action_the_rejected_file_is_nowhere_lost(tmp_path: Path) -> None:
    for stop in stops():
        house = Household(tmp_path / str(stop))
        house.drop("reviews/may.csv", "id,wrong\n1,x\n")
        await house.work()
        house.drop("reviews/may.csv", "id,review\n1,x\n")
        async with house.living() as daemon:
            await daemon.take_in()
            done = await daemon.steps(stop)
        await house.work()
        assert not list((house.folders.rejected / "reviews").iterdir())
        kept = sorted(path.read_text() for path in (house.folders.archive / "reviews").iterdir())
        assert kept == ["id,review\n1,x\n", "id,wrong\n1,x\n"]
        if done < stop:
            return
