"""Promises 1, 2, 3 and 6: run n actions, drop the daemon, start a new one on the same folders, drain."""

from __future__ import annotations

import itertools

import pytest

from batchd.contracts import Limits
from batchd.domain.lifecycle import Finish
from batchd.model import Failure, Json
from batchd.testing.fakes import FakeService
from batchd.testing.household import Household

from .conftest import MakeHousehold, csv_of

REVIEWS = ["good", "bad", "unaskable", "refused", "fine", "late", "great", "flaky"]


class Dropped(BaseException):
    """The process is gone, in the middle of something."""


def service() -> FakeService:
    """Answers most, refuses one for good, and one only the first time."""
    asked = itertools.count()

    def answer(body: dict[str, Json]) -> str | Failure:
        text = body["messages"][-1]["content"]
        if text == "refused":
            return Failure("content_policy", "This will not be answered.")
        if text == "flaky" and next(asked) == 0:
            return Failure("server_error", "Try again.", transient=True)
        return f"about {text}"

    return FakeService(answer)


async def undisturbed(make_household: MakeHousehold) -> tuple[dict[str, bytes], int]:
    """The outbox of a run that nothing happens to, and how many actions it takes."""
    household = make_household(service=service(), limits=Limits(max_requests=5))
    household.drop("reviews/may.csv", csv_of(REVIEWS))
    actions = await household.work()
    return comparable(household), len(actions)


def comparable(household: Household) -> dict[str, bytes]:
    """The outbox but for times and ids, which may differ, and the number of batches, which a crash may change."""
    outbox = household.outbox()
    report = household.report("reviews/may.report.json")
    for key in ("job", "timestamps", "batches"):
        del report[key]
    outbox["reviews/may.report.json"] = repr(report).encode()
    return outbox


async def test_an_undisturbed_run_delivers_every_row_by_name(make_household: MakeHousehold) -> None:
    outbox, _ = await undisturbed(make_household)
    assert sorted(outbox) == ["reviews/may.failed.csv", "reviews/may.report.json", "reviews/may.results.csv"]
    lines = outbox["reviews/may.results.csv"].decode().splitlines()
    assert lines[0] == "id,review,answer,status,error"
    assert lines[1].startswith("0,good,about good,ok,")
    assert lines[3].startswith("2,unaskable,,failed,")
    assert lines[4].startswith("3,refused,,failed,")
    assert lines[8].startswith("7,flaky,about flaky,ok,")
    assert len(lines) == 1 + len(REVIEWS)


@pytest.mark.slow(seconds=5)
async def test_dropped_after_any_number_of_actions_it_goes_on_as_if_nothing_had_happened(
    make_household: MakeHousehold,
) -> None:
    expected, actions = await undisturbed(make_household)
    assert actions > 20
    for stop_after in range(actions):
        household = make_household(service=service(), limits=Limits(max_requests=5))
        household.drop("reviews/may.csv", csv_of(REVIEWS))
        async with household.living() as daemon:
            await daemon.take_in()
            await daemon.steps(stop_after)
        await household.work()
        assert comparable(household) == expected, f"dropped after {stop_after} actions"
        assert set(household.service.executed.values()) == {1}, f"paid twice, dropped after {stop_after} actions"
        assert [path.name for path in (household.folders.archive / "reviews").iterdir()] == ["may.csv"]


@pytest.mark.slow
async def test_dropped_in_the_middle_of_any_call_to_the_provider_nothing_is_paid_twice(
    make_household: MakeHousehold,
) -> None:
    expected, _ = await undisturbed(make_household)
    for moment in itertools.count():
        household = make_household(service=service(), limits=Limits(max_requests=5))
        household.drop("reviews/may.csv", csv_of(REVIEWS))
        steps = itertools.count()

        def step(name: str, steps: itertools.count[int] = steps, moment: int = moment) -> None:
            if next(steps) == moment:
                raise Dropped(name)

        household.service.step = step
        dropped = False
        async with household.living() as daemon:
            await daemon.take_in()
            try:
                await daemon.drain()
            except Dropped:
                dropped = True
        await household.work()
        assert comparable(household) == expected, f"dropped at provider step {moment}"
        assert set(household.service.executed.values()) == {1}, f"paid twice, dropped at provider step {moment}"
        if not dropped:
            assert moment > 10
            return


@pytest.mark.parametrize("twice", ["create: before", "create: after"])
async def test_an_unknown_outcome_is_waited_out_before_anything_is_created_again(
    make_household: MakeHousehold, twice: str
) -> None:
    household = make_household(service=service())
    household.drop("reviews/may.csv", csv_of(["good"]))
    failed = False

    def step(name: str) -> None:
        nonlocal failed
        if name == twice and not failed:
            failed = True
            raise ConnectionResetError("cut")

    household.service.step = step
    async with household.living() as daemon:
        await daemon.take_in()
        before = household.clock.steady()
        await daemon.drain()
        assert household.clock.steady() - before >= 30.0, "three times create_timeout"
    assert household.service.creates == 1
    assert household.service.executed.total() == 1
    kinds = [event.kind for event in household.events]
    assert ("BatchFound" if twice == "create: after" else "BatchNotFound") in kinds


async def test_killed_before_the_draft_of_a_report_is_gone_it_goes_with_the_next_start(
    make_household: MakeHousehold,
) -> None:
    finished, killed = make_household(), make_household()
    for household in (finished, killed):
        household.drop("reviews/may.csv", csv_of(["good"]))
    await finished.work()
    report = finished.outbox()["reviews/may.report.json"]
    async with killed.living() as living:
        await living.take_in()
        while not any(isinstance(due.action, Finish) for due in (await living.engine.look()).due):
            assert await living.step() is not None
    reports = killed.folders.outbox / "reviews"
    for name in ("may.report.json", ".may.report.json.draft"):
        (reports / name).write_bytes(report)
    async with killed.living() as living:
        await living.drain()
    assert sorted(path.name for path in reports.iterdir()) == ["may.report.json", "may.results.csv"]
