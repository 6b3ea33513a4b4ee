"""A job with several sinks, of which one is down: the others have it, and status says what is wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from batchd.domain.routing import PluginSpec, Route
from batchd.domain.subjects import Subject
from batchd.testing.household import Household
from batchd_sinks.sqlite_sink import SqliteSink
from batchd_sinks.webhook_sink import WebhookSink

from .receiver import Answer, Receiver

pytestmark = pytest.mark.field("results")
ROUTE = Route(
    name="reviews",
    match=("reviews/**",),
    provider="fake",
    model="small",
    prompt=PluginSpec("template", {"user": "{{ review }}"}),
    sinks=("csv", "hook", "db"),
)


class Impatient(WebhookSink):
    """Waits for nothing before it tries a page again."""

    pauses = ()


async def test_a_sink_that_is_down_holds_back_no_other(tmp_path: Path) -> None:
    receiver = Receiver(*([Answer(401, body=b"who are you?")] * 2))
    sinks = {
        "hook": Impatient(WebhookSink.Settings(url=receiver.url, secret="s3cret-of-the-house")),
        "db": SqliteSink(SqliteSink.Settings(path=tmp_path / "results.db")),
    }
    household = Household(tmp_path / "house", routes=(ROUTE,), sinks=sinks)
    household.drop("reviews/may.csv", "id,review\n1,good\n2,bad\n")
    async with household.living() as daemon:
        await daemon.take_in()
        conditions: set[str] = set()
        while await daemon.step() is not None:
            said = (await daemon.context.store.event_log.conditions()).get(Subject.sink("hook"))
            if said and not conditions:
                [job] = await daemon.context.store.jobs.ids()
            conditions |= {said} if said else set()
            if said and set(await daemon.context.store.deliveries.of_job(job)) == {"csv", "db"}:
                before = household.outbox().keys() | {"db"}
        [first, *_] = conditions
    await sinks["hook"].aclose()
    receiver.close()
    assert "does not accept our signature (status 401). It says: 'who are you?'. Check that secret" in first
    assert f"batchd skip-sink {job} hook" in first
    assert before == {"reviews/may.results.csv", "db"}, "while the webhook is down"
    with closing(sqlite3.connect(tmp_path / "results.db")) as database:
        assert database.execute("SELECT count(*) FROM results").fetchone() == (2,)
    receipts = {each["sink"]: each for each in household.report("reviews/may.report.json")["receipts"]}
    assert receipts["db"] == {"sink": "db", "where": str(tmp_path / "results.db"), "table": "results", "rows": 2}
    assert (receipts["hook"]["where"], receipts["hook"]["rows"]) == (receiver.url.removesuffix("/in"), 2)
    assert [row["row"] for row in receiver.rows] == [0, 1]
