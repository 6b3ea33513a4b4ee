"""What becomes of work whose process dies over it, at each of the places where that may happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from batchd.contracts import Limits
from batchd.errors import NodeLost, WorkerLost
from batchd.testing.fakes import InlineExecutor
from batchd.testing.household import Household
from batchd.workers.limits import Hung

from ..engine.conftest import csv_of, make_household, route

pytestmark = pytest.mark.slow

__all__ = ["make_household"]

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")

NINE = [f"review {number}" for number in range(9)]
FOUR_ROWS = Limits(max_requests=4)


class Dying(InlineExecutor):
    """An executor whose processes die over one function, so many times."""

    def __init__(self, function: str, times: int, error: Callable[[str], Exception] = WorkerLost) -> None:
        super().__init__()
        self.function = function
        self.times = times
        self.error = error

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        if function.__name__ == self.function and self.times:
            self.times -= 1
            raise self.error("The worker process died.")
        return await super().run(function, task)


class CodeThatEnds(WorkerLost):
    """A plugin's code has ended its process."""

    where = 'build of the plugin "deadly" ended it: Segmentation fault'


def code_that_hangs(_: str) -> Hung:
    """A plugin's code does not return."""
    return Hung(None, 10.0, 'build of the plugin "deadly"')


async def ask(household: Household) -> str:
    """Drop a file and work until nothing is left; the state of its job then."""
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain(most=500)
        [job] = await daemon.context.store.jobs.ids()
        return str((await daemon.context.store.jobs.get(job)).state)


@pytest.mark.parametrize("function", ["read", "plan", "split", "collect"])
async def test_two_crashes_cost_two_retries(make_household: Callable[..., Household], function: str) -> None:
    household = make_household(executor=Dying(function, 2), limits=FOUR_ROWS, routes=(route(part_rows=9),))
    assert await ask(household) == "done"
    assert set(household.service.executed.values()) == {1}
    assert len(household.service.executed) == 9


@pytest.mark.parametrize("function", ["plan", "split", "collect"])
async def test_a_part_that_kills_its_worker_three_times_fails_its_job_with_that_reason(
    make_household: Callable[..., Household], function: str
) -> None:
    dying = Dying(function, -1)
    household = make_household(executor=dying, limits=FOUR_ROWS, routes=(route(part_rows=9),))
    assert await ask(household) == "failed"
    assert dying.times == -4
    [failed] = [event for event in household.events if event.kind == "JobFailed"]
    assert "from row 0 crashed the worker process 3 times, most likely because memory ran out" in failed.sentence
    assert all(times == 1 for times in household.service.executed.values())


async def test_a_file_that_kills_its_reader_three_times_comes_back_with_the_reason(
    make_household: Callable[..., Household], tmp_path: Path
) -> None:
    household = make_household(executor=Dying("read", -1))
    assert await ask(household) == "rejected"
    rejected = household.folders.rejected / "reviews"
    assert (rejected / "may.csv").read_text() == csv_of(NINE)
    assert "crashed the worker process 3 times" in (rejected / "may.csv.why.txt").read_text()


@pytest.mark.parametrize(
    ("error", "because"),
    [
        (CodeThatEnds, 'because build of the plugin "deadly" ended it: Segmentation fault. '),
        (code_that_hangs, 'because build of the plugin "deadly" did not return within 10 s, and was stopped. '),
    ],
)
async def test_the_reason_names_the_code_of_a_plugin_that_is_the_cause(
    make_household: Callable[..., Household], error: Callable[[str], Exception], because: str
) -> None:
    household = make_household(executor=Dying("plan", -1, error))
    assert await ask(household) == "failed"
    [failed] = [event for event in household.events if event.kind == "JobFailed"]
    assert f"from row 0 crashed the worker process 3 times, {because}Give batchd more memory" in failed.sentence


@pytest.mark.parametrize("function", ["read", "plan", "split", "distribute", "collect"])
async def test_machines_that_go_away_are_no_fault_of_the_file(
    make_household: Callable[..., Household], function: str
) -> None:
    """However many: each time it is tried again."""
    dying = Dying(function, 5, NodeLost)
    household = make_household(executor=dying, limits=FOUR_ROWS, routes=(route(part_rows=9),))
    assert await ask(household) == "done"
    assert dying.times == 0
    assert set(household.service.executed.values()) == {1}
    assert not [event for event in household.events if event.kind in {"JobFailed", "JobRejected"}]
