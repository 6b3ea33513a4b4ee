"""Plugins that hang, crash or fail in workers: the row, the file or the delivery at hand pays for it, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.routing import PluginSpec
from batchd.domain.subjects import Subject
from batchd.engine.context import MAX_HUNG, TimeLimits
from batchd.errors import WorkerLost
from batchd.executor import DoneT, TaskT
from batchd.testing.fakes import InlineExecutor
from batchd.testing.household import Household
from batchd.workers.local import Workers

from .conftest import EVERY_CASE, MakeHousehold, csv_of, route
from .test_faults import order

pytestmark = pytest.mark.field("neighbours")

HANGING = """
import time
from batchd import Failure, PromptBuilder, Reader, hookimpl


def work(text):
    if text.startswith("loop"):
        while True:
            try:
                sum(range(1000))
            except Exception:
                pass
    if text.startswith("sleep"):
        time.sleep(10_000)
    if text.startswith("deaf"):
        while True:
            try:
                time.sleep(0.01)
            except:
                pass
    if text.startswith("deep"):
        sum(range(10 ** 13))


class Slow(PromptBuilder):
    columns = ("answer",)

    def build(self, row):
        work(row["review"])
        return {"messages": [{"role": "user", "content": row["review"]}]}

    def parse(self, response):
        work(response.text.removeprefix("re: answer "))
        return {"answer": response.text}


class Eager(Slow):
    def encode(self, rows, common):
        return iter(list(super().encode(list(rows), common)))


class Sleepy(Reader):
    suffixes = (".sleepy",)

    def read(self, source):
        yield ["review"]
        yield ["one"]
        work("sleep")


class Bad(PromptBuilder):
    def build(self, row):
        return {}

    def encode(self, rows, common):
        raise KeyError("till")
        yield


@hookimpl
def register_prompt_builders(register):
    register("slow", Slow)
    register("eager", Eager)
    register("bad", Bad)


@hookimpl
def register_readers(register):
    register("sleepy", Sleepy)
"""

MakeHanging = Callable[..., Household]


@pytest.fixture
def make_hanging(make_household: MakeHousehold, tmp_path: Path) -> MakeHanging:
    """Households with plugins that hang, and little patience."""
    (tmp_path / "plugins.d" / "hanging.py").write_text(HANGING)

    def make(kind: str = "slow", **arguments: Any) -> Household:
        arguments = {"time_limits": TimeLimits(row=0.2, read=0.2)} | arguments
        return make_household(routes=(route(prompt=PluginSpec(kind), part_rows=1000),), **arguments)

    return make


async def rows_of(household: Household, reviews: list[str]) -> list[dict[str, str]]:
    household.drop("reviews/may.csv", csv_of(reviews))
    await household.work()
    return household.results()


@pytest.mark.parametrize("kind", ["slow", "eager"])
@pytest.mark.parametrize("what", ["loop", "sleep"])
@pytest.mark.slow
async def test_a_row_over_which_build_hangs_fails_alone_and_by_name(
    make_hanging: MakeHanging, kind: str, what: str
) -> None:
    rows = await rows_of(make_hanging(kind), ["one", what, "three"])
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert 'the plugin "hanging"' in rows[1]["error"]
    assert "hanging.py, line" in rows[1]["error"]
    assert "did not return within 0.2 s" in rows[1]["error"]


@pytest.mark.slow
async def test_a_row_over_whose_answer_parse_hangs_fails_alone_and_by_name(make_hanging: MakeHanging) -> None:
    household = make_hanging()
    rows = await rows_of(household, ["one", "answer loop", "three"])
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert 'parse of the plugin "hanging"' in rows[1]["error"]
    assert household.service.creates == 1, "a hanging plugin is not asked to read another paid answer"


@pytest.mark.slow
async def test_after_many_hanging_rows_the_rest_of_the_part_fails_at_once(make_hanging: MakeHanging) -> None:
    household = make_hanging(time_limits=TimeLimits(row=0.04))
    rows = await rows_of(household, ["loop"] * (MAX_HUNG + 100))
    assert Counter(row["status"] for row in rows) == {"failed": MAX_HUNG + 100}
    assert sum("was not tried" in row["error"] for row in rows) == 100


async def test_a_reader_without_progress_has_its_file_rejected(make_hanging: MakeHanging) -> None:
    household = make_hanging()
    household.drop("reviews/may.sleepy", "anything")
    await household.work()
    why = (household.folders.rejected / "reviews" / "may.sleepy.why.txt").read_text()
    assert "stopped making progress after row 0" in why
    assert 'read of the plugin "hanging"' in why
    assert "(reason hung, job " in why


WAYS = ["loop", "sleep", "deaf", "deep"]


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("what", WAYS if EVERY_CASE else WAYS[::2])
async def test_in_worker_processes_nothing_can_hang(make_hanging: MakeHanging, what: str) -> None:
    workers = Workers(number=1)
    try:
        rows = await rows_of(make_hanging(executor=workers), ["one", what, "three", f"answer {what}"])
    finally:
        workers.close()
    assert [row["status"] for row in rows] == ["ok", "failed", "ok", "failed"]
    assert 'the plugin "hanging"' in rows[1]["error"]
    assert 'parse of the plugin "hanging"' in rows[3]["error"]


@pytest.mark.slow
async def test_a_fault_in_a_plugin_is_told_with_plugin_file_method_and_job(make_hanging: MakeHanging) -> None:
    household = make_hanging("bad")
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.steps(12)
        [job] = await daemon.context.store.jobs.ids()
        said = (await daemon.context.store.event_log.conditions())[Subject.job(job)]
    assert 'A fault in encode of the plugin "hanging" (' in said
    line = HANGING.splitlines().index('        raise KeyError("till")') + 1
    assert f"hanging.py, line {line}): KeyError: 'till'" in said
    assert f"(while trying to plan job {job})" in said
    assert "in batchd or" not in said


class Mortal(InlineExecutor):
    """Its workers die over one kind of task."""

    over = "distribute"
    tries = 0

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        if function.__name__ == self.over:
            self.tries += 1
            raise WorkerLost(f"The worker process died while it ran {function.__name__}.")
        return await super().run(function, task)


@pytest.mark.parametrize("over", ["distribute", "plan", "collect"])
async def test_a_worker_that_dies_over_any_task_has_three_tries(make_household: MakeHousehold, over: str) -> None:
    executor = Mortal()
    executor.over = over
    household = make_household(executor=executor)
    household.drop("reviews/may.csv", csv_of(["one", "two"]))
    async with household.at_rest() as daemon:
        [job_id] = await daemon.context.store.jobs.ids()
        job = await daemon.context.store.jobs.get(job_id)
        assert executor.tries == 3
        assert (job.state, job.reason_code) == ("failed", "worker_died")
        executor.over = ""
        await order(daemon, "retry", job_id)
        await daemon.drain()
    assert any(name.endswith("results.csv") for name in household.outbox())
    assert household.service.creates == 1


async def test_an_order_over_which_workers_die_is_given_up_with_the_reason(make_household: MakeHousehold) -> None:
    executor = Mortal()
    executor.over = ""
    household = make_household(executor=executor)
    household.drop("reviews/may.csv", csv_of(["one", "unaskable"]))
    async with household.at_rest() as daemon:
        [job_id] = await daemon.context.store.jobs.ids()
        executor.over = "clear_failures"
        await order(daemon, "retry", job_id)
        await daemon.drain()
    assert executor.tries == 3
    [refused] = [event for event in household.events if event.kind == "OrderRefused"]
    assert "a worker process died 3 times over it" in refused.sentence
