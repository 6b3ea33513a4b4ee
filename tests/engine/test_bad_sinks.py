"""Sinks that refuse, hang or are gone: named, tried gently, and gone on without if a person says so."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from batchd.contracts import DeliveryJob, ResultRows, Settings, Sink
from batchd.domain import lifecycle
from batchd.domain.subjects import Subject
from batchd.errors import RejectedError
from batchd.status.overview import sinks_needed
from batchd.testing.household import Household, Living

from .conftest import MakeHousehold, csv_of, route
from .test_faults import order

pytestmark = pytest.mark.field("neighbours")
WEBHOOK = Subject.sink("webhook")


class Webhook(Sink[Settings]):
    """A sink that refuses, hangs, fails or works."""

    def __init__(self, how: str) -> None:
        super().__init__(Settings())
        self.how = how
        self.calls = 0

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        self.calls += 1
        if self.how == "refuses":
            raise RejectedError("The webhook refuses the token.")
        if self.how == "hangs":
            await asyncio.Event().wait()
        if self.how == "fails":
            raise KeyError("till")
        if self.how == "exits":
            sys.exit(3)


def house(make_household: MakeHousehold, webhook: Webhook) -> Household:
    return make_household(routes=(route(sinks=("csv", "webhook")),), sinks={"webhook": webhook})


async def delivering(household: Household, daemon: Living, *names: str) -> list[str]:
    """The files, worked on until only the webhook is left."""
    for name in names:
        household.drop(f"reviews/{name}.csv", csv_of([name]))
    await daemon.take_in()
    for _ in range(400):
        if len([name for name in household.outbox() if name.endswith("results.csv")]) == len(names):
            break
        await daemon.step()
    return sorted(await daemon.context.store.jobs.ids())


async def steps_for(daemon: Living, seconds: float) -> None:
    """What happens in this time."""
    end = daemon.household.clock.steady() + seconds
    while daemon.household.clock.steady() < end:
        await daemon.step()


async def test_a_sink_that_refuses_is_tried_gently_and_at_once_on_retry(make_household: MakeHousehold) -> None:
    webhook = Webhook("refuses")
    household = house(make_household, webhook)
    async with household.living() as daemon:
        jobs = await delivering(household, daemon, "may", "june", "july")
        await steps_for(daemon, 3_600)
        assert webhook.calls <= 8, "a minute, two, four ... for all jobs together"
        said = (await daemon.context.store.event_log.conditions())[WEBHOOK]
        assert "The webhook refuses the token." in said
        assert f"batchd skip-sink {jobs[0]} webhook" in said or "batchd skip-sink" in said
        webhook.how = "works"
        before = household.clock.steady()
        await order(daemon, "retry", jobs[0])
        await daemon.drain()
        assert household.clock.steady() - before < 30
        assert await daemon.context.store.event_log.conditions() == {}
        assert {(await daemon.context.store.jobs.get(job)).state for job in jobs} == {"done"}


@pytest.mark.parametrize("how", ["refuses", "fails"])
async def test_a_job_goes_on_without_a_sink_that_is_skipped(make_household: MakeHousehold, how: str) -> None:
    webhook = Webhook(how)
    household = house(make_household, webhook)
    async with household.living() as daemon:
        [job] = await delivering(household, daemon, "may")
        await order(daemon, "skip-sink", job, '{"sink": "webhook"}')
        await daemon.drain()
        assert (await daemon.context.store.jobs.get(job)).state == "done"
    assert [event.sink for event in household.events if event.kind == "SinkSkipped"] == ["webhook"]  # type: ignore[attr-defined]
    assert household.report("reviews/may.report.json")["outcome"] == "done"


@pytest.mark.parametrize(
    ("data", "words"), [('{"sink": "csv"}', "has been published through csv already"), ('{"sink": "x"}', "no sink x")]
)
async def test_only_a_sink_that_waits_can_be_skipped(make_household: MakeHousehold, data: str, words: str) -> None:
    household = house(make_household, Webhook("fails"))
    async with household.living() as daemon:
        [job] = await delivering(household, daemon, "may")
        await order(daemon, "skip-sink", job, data)
        await daemon.engine.look()
    assert [words in event.sentence for event in household.events if event.kind == "OrderRefused"] == [True]


@pytest.mark.parametrize("how", ["refuses", "fails"])
async def test_a_job_can_be_cancelled_while_a_sink_keeps_it_waiting(make_household: MakeHousehold, how: str) -> None:
    household = house(make_household, Webhook(how))
    async with household.living() as daemon:
        [job] = await delivering(household, daemon, "may")
        await order(daemon, "cancel", job)
        await daemon.drain()
        assert (await daemon.context.store.jobs.get(job)).state == "cancelled"
    assert "reviews/may.results.csv" in household.outbox()


@pytest.mark.parametrize(("kind", "data"), [("skip-sink", '{"sink": "webhook"}')])
async def test_a_hanging_call_does_not_keep_an_order_waiting(
    make_household: MakeHousehold, kind: str, data: str
) -> None:
    webhook = Webhook("hangs")
    household = house(make_household, webhook)
    async with household.living() as daemon:
        [job] = await delivering_beside(household, daemon)
        hanging = asyncio.create_task(perform(daemon, lifecycle.Deliver(job, "webhook")))
        while not webhook.calls:
            await asyncio.sleep(0)
        await order(daemon, kind, job, data)
        await daemon.engine.look()
        await asyncio.wait_for(hanging, 10)
        await daemon.drain()
        assert (await daemon.context.store.jobs.get(job)).state == "done"


async def delivering_beside(household: Household, daemon: Living) -> list[str]:
    """As `delivering`, and never begin with the webhook."""
    household.drop("reviews/may.csv", csv_of(["one"]))
    await daemon.take_in()
    for _ in range(400):
        if "reviews/may.results.csv" in household.outbox():
            break
        outlook = await daemon.engine.look()
        due = [each for each in outlook.due if getattr(each.action, "sink", "") != "webhook"]
        if due:
            await daemon.engine.perform(due[0])
        elif outlook.again_at is not None:
            household.clock.advance(1.0)
    return sorted(await daemon.context.store.jobs.ids())


async def perform(daemon: Living, action: Any) -> None:
    [due] = [each for each in (await daemon.engine.look()).due if each.action == action]
    await daemon.engine.perform(due)


@pytest.mark.parametrize("put_back", [False, True])
async def test_a_sink_that_was_taken_out_is_named_at_once_with_what_to_do(
    make_household: MakeHousehold, put_back: bool
) -> None:
    household = house(make_household, Webhook("works"))
    async with household.living() as daemon:
        [job] = await delivering_beside(household, daemon)
        assert sinks_needed(household.folder / "state") == {"csv": [job], "webhook": [job]}, "what `check` looks for"
        sinks = daemon.context.configured.sinks
        daemon.reconfigure(sinks={"csv": sinks["csv"]})
        await daemon.step()
        said = (await daemon.context.store.event_log.conditions())[WEBHOOK]
        assert "which the configuration does not have any more" in said
        assert f"batchd skip-sink {job} webhook" in said
        if put_back:
            daemon.reconfigure(sinks=sinks)
        else:
            await order(daemon, "skip-sink", job, '{"sink": "webhook"}')
        await daemon.drain()
        assert (await daemon.context.store.jobs.get(job)).state == "done"
        assert await daemon.context.store.event_log.conditions() == {}


async def test_a_plugin_that_exits_does_not_end_the_daemon(make_household: MakeHousehold, tmp_path: Path) -> None:
    webhook = Webhook("exits")
    asking = tmp_path / "plugins.d" / "asking.py"
    exits = 'if row["review"].startswith("exit"):\n            raise SystemExit(4)\n        if row["review"] == '
    asking.write_text(asking.read_text().replace('if row["review"] == ', exits))
    household = house(make_household, webhook)
    household.drop("reviews/may.csv", csv_of(["one", "exit", "three"]))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(60):
            await daemon.step()
            said = await daemon.context.store.event_log.conditions()
            if webhook.calls > 2 and WEBHOOK in said:
                break
        assert "The plugin raised SystemExit: 3." in said[WEBHOOK]
        webhook.how = "works"
        await daemon.drain()
    rows = household.results()
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert "SystemExit: 4" in rows[1]["error"]
