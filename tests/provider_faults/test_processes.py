"""Real processes: a create that takes effect after its client was killed, workers that die, what `status` says."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.errors import WorkerLost
from batchd.store.reading.snapshot import snapshot
from batchd.workers.local import Workers

from ..durability.rig import served_place
from ..end_to_end.conftest import Place, reviews, until
from .tasks import ask_for_too_much

pytestmark = pytest.mark.slow

DEADLY = '''
import os
import signal
from pathlib import Path

from batchd import PromptBuilder, hookimpl

SEEN = Path(__file__).parent / "seen"


def die_over(text, stage):
    """As the kernel ends a process that takes too much memory: at once, and with nothing said."""
    if f"once in {stage}" in text and not (SEEN / stage).exists():
        SEEN.mkdir(exist_ok=True)
        (SEEN / stage).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if f"always in {stage}" in text:
        os.kill(os.getpid(), signal.SIGKILL)


class Deadly(PromptBuilder):
    columns = ("answer",)

    def build(self, row):
        die_over(row["review"], "build")
        return {"messages": [{"role": "user", "content": row["review"]}]}

    def parse(self, response):
        die_over(response.text, "parse")
        return {"answer": response.text}


@hookimpl
def register_prompt_builders(register):
    register("deadly", Deadly)
'''
ROUTE = """
[routes.deadly]
provider = "sandbox"
model = "sandbox-small"
part_rows = 2

[routes.deadly.prompt]
plugin = "deadly"
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place with a sandbox running."""
    with served_place(tmp_path) as place:
        yield place


def status(place: Place) -> dict[str, Any]:
    """What `batchd status --json` says."""
    said: dict[str, Any] = json.loads(place.batchd("status", "--all", "--json").stdout)
    return said


def test_a_create_that_takes_effect_long_after_its_client_was_killed_is_found(place: Place) -> None:
    # With create_timeout at one second, the outcome is waited out for three; this one comes shortly before.
    place.fault("create:slow:delay=2500ms")
    place.drop("reviews/may.csv", reviews(20))
    daemon = place.run()
    until(lambda: place.ledger()["create_calls"] == 1, "the call is under way")
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
    assert place.ledger()["batches"] == []
    place.run()
    assert {row["status"] for row in place.results("reviews/may")} == {"ok"}
    ledger = place.ledger()
    assert (ledger["create_calls"], len(ledger["batches"])) == (1, 1)
    assert (ledger["requests_executed"], ledger["executed_twice"]) == (20, [])


def test_workers_that_die_cost_their_parts_a_retry_and_the_daemon_nothing(place: Place) -> None:
    plugins = place.folder / "plugins.d"
    plugins.mkdir()
    (plugins / "deadly.py").write_text(DEADLY)
    config = place.folder / "config.toml"
    config.write_text('plugin_dir = "plugins.d"\n' + config.read_text() + ROUTE)
    (place.folder / "inbox" / "deadly").mkdir()
    daemon = place.run()
    place.drop("deadly/once.csv", "id,review\n0,fine\n1,once in build\n2,good\n3,once in parse\n")
    place.drop("deadly/always.csv", "id,review\n0,fine\n1,good\n2,well\n3,always in build\n")
    place.drop("reviews/may.csv", reviews(3))
    assert [row["status"] for row in place.results("deadly/once")] == ["ok"] * 4
    assert [row["status"] for row in place.results("reviews/may")] == ["ok"] * 3
    until(lambda: "failed" in states(place), "a job has failed")
    failed = by_source(place, "failed")["deadly/always.csv"]
    assert failed["reason_code"] == "worker_died"
    assert "the part from row 2 crashed the worker process 3 times" in failed["reason"]
    assert f"batchd retry {failed['id']}" in failed["reason"]
    told = json.loads(place.batchd("events", failed["id"], "--json").stdout)
    assert [event["data"]["times"] for event in told if event["kind"] == "WorkerDied"] == [1, 2, 3]
    once = json.loads(place.batchd("events", "once.csv", "--json").stdout)
    assert [event["data"]["part"] for event in once if event["kind"] == "WorkerDied"] == [0, 2]
    assert daemon.poll() is None
    assert len(place.processes) == 2, "the sandbox and this one daemon"
    ledger = place.ledger()
    assert (ledger["requests_executed"], ledger["executed_twice"]) == (7, [])
    # What there is of it can be had.
    assert place.batchd("cancel", failed["id"]).returncode == 0
    assert {row["status"] for row in place.results("deadly/always")} == {"skipped"}


def states(place: Place) -> set[str]:
    """Those of all jobs. Asked often, so the database is read here, not by a command."""
    with snapshot(place.state) as state:
        return {row["state"] for row in state.rows("SELECT state FROM jobs")}


def by_source(place: Place, state: str) -> dict[str, Any]:
    """The jobs in this state by the files they are of."""
    return {job["source"]: job for job in status(place)["jobs"] if job["state"] == state}


async def test_a_worker_that_gets_no_memory_counts_as_one_that_died() -> None:
    workers = Workers(number=1)
    try:
        with pytest.raises(WorkerLost, match="ran out of memory while it ran ask_for_too_much"):
            await workers.run(ask_for_too_much, 1 << 46)
        assert await workers.run(ask_for_too_much, 1) == 1
    finally:
        workers.close()


def test_status_says_since_when_a_provider_is_down_and_why(place: Place) -> None:
    # Three batches, whose uploads fail at the same time: that is enough to tell it from a passing fault.
    place.configure("max_requests = 2")
    daemon = place.run()
    place.fault("all:503")
    place.drop("reviews/may.csv", reviews(5))
    until(place.troubles, "the outage is said")
    [condition] = status(place)["conditions"]
    assert condition["subject"] == "provider sandbox"
    plain = place.batchd("status").stdout.splitlines()
    assert re.match(
        r"provider sandbox, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d: http://127.0.0.1:\d+/v1 answered with status 503 "
        r"when asked to .*: The server is currently overloaded .* Jobs wait; nothing is lost\. ",
        plain[2],
    ), plain
    assert plain[3].endswith("; waits for provider sandbox")
    place.control("DELETE", "faults")
    assert [row["status"] for row in place.results("reviews/may")] == ["ok"] * 5
    assert status(place)["conditions"] == []
    assert daemon.poll() is None
    ledger = place.ledger()
    assert (ledger["requests_executed"], ledger["create_calls"]) == (5, 3)
