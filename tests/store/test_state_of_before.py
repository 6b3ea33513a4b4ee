"""A state folder that an earlier version left is opened, brought up to date and gone on with.

`data/schema_6` was made by the code of before the folders by subject (schema 6): a job in every state, batches in every
state, an order that nobody has carried out, a condition. The database is a dump; `.json` holds the files of the folders,
what the service knows, and the clock.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from batchd.contracts import Submission
from batchd.errors import CannotFind
from batchd.model import BatchPhase
from batchd.store import schema
from batchd.testing.fakes import FakeBatch, FakeClock, FakeProvider, FakeService
from batchd.testing.household import Living

from ..cli.cli_kit import House, here, reviews_service

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
OLD = 6
AFTERWARDS = {
    "done": ["again", "answered", "claimed", "claiming", "delivering", "done", "ended", "failed", "fetched", "packed",
             "planning", "published", "submitted", "submitting", "swept", "uploaded", "waits"],
    "cancelled": ["cancelled"],
    "held": ["held"],
    "rejected": ["rejected", "rejecting"],
    "running": ["ask"],
}  # fmt: skip
"""Where each job is once all is done that needs nobody: one waits for approval, one to be told about its batch."""


class Provider(FakeProvider):
    """Finds every batch but the one that a person must look for."""

    async def find(self, submission: Submission) -> Any:
        if submission.key == "00000013":
            raise CannotFind("This provider cannot look a batch up.")
        return await super().find(submission)


def service_of(stored: dict[str, Any]) -> FakeService:
    """The service as it was: what it was sent, and which batches it has."""
    service = reviews_service()
    service.files = stored["files"]
    for each in stored["batches"]:
        batch = FakeBatch(each["id"], each["upload"], each["key"], BatchPhase(each["phase"]))
        batch.polls_left = each["polls_left"]
        if batch.phase is not BatchPhase.FAILED:
            batch.lines = [service.answered(request) for request in reversed(service.files[batch.upload])]
        service.batches[batch.id] = batch
    return service


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The folders as they were left, and a daemon of today to come."""
    stored = json.loads((DATA / f"schema_{OLD}.json").read_bytes())
    service = service_of(stored["service"])
    house = House(tmp_path / "house", service=service, provider=Provider(service))
    for name, content in stored["files"].items():
        path = house.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name in stored["empty_folders"]:
        (house.folder / name).mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(house.state / "batchd.db")
    connection.executescript((DATA / f"schema_{OLD}.sql").read_text())
    connection.close()
    clock = stored["clock"]
    house.clock = FakeClock(clock["wall"], first_id=clock["next_id"])
    house.clock.elapsed = clock["elapsed"]
    return house


def go_on(house: House) -> None:
    """A daemon of today does all that can be done without a person."""

    async def work(living: Living) -> None:
        await living.drain(most=500)
        # A file that was about to be taken is not the same one in a folder that was copied: it is looked at again.
        await living.take_in()
        await living.drain(most=500)

    house.live(work)


def jobs_of(house: House) -> list[dict[str, Any]]:
    """What `batchd status` says of all jobs."""
    jobs: list[dict[str, Any]] = here("status", "--all", "--json", config=house.config).json()["jobs"]
    return jobs


def name_of(job: dict[str, Any]) -> str:
    """The dropped file without its folder and suffix."""
    return Path(job["source"]).stem


def test_it_is_brought_up_to_date_with_a_copy_beside_it_and_shown(house: House) -> None:
    said = here("status", config=house.config)
    assert said.status == 5
    assert "was written by an older batchd" in said.err

    async def only_open(living: Living) -> None:
        conditions = await living.context.store.event_log.conditions()
        assert {str(subject): text for subject, text in conditions.items()} == {"provider fake": "It is down."}

    house.live(only_open)
    assert (house.state / f"batchd.db.before-{schema.version()}").exists()
    states = {name_of(job): job["state"] for job in jobs_of(house)}
    assert Counter(states.values()) == Counter(
        done=3, running=8, delivering=2, planning=2, cancelled=1, rejected=1, rejecting=1, failed=1, held=1, claimed=1,
        claiming=1,
    )  # fmt: skip
    swept = here("retry", "swept.csv", config=house.config)
    assert swept.status == 0, swept.err


def test_every_job_goes_on_from_where_it_was_and_nothing_is_paid_twice(house: House) -> None:
    go_on(house)
    jobs = jobs_of(house)
    where: dict[str, list[str]] = {}
    for job in jobs:
        where.setdefault(job["state"], []).append(name_of(job))
    assert {state: sorted(names) for state, names in where.items()} == AFTERWARDS
    for job in jobs:
        if job["state"] == "done":
            assert job["rows"] | {"answered": 5} == {"total": 5, "ok": 4, "failed": 1, "skipped": 0, "answered": 5}
            results = house.outbox()[f"reviews/{name_of(job)}.results.csv"].decode().splitlines()
            assert [line.split(",")[0] for line in results] == ["id", *"01234"]
    assert set(house.service.executed.values()) == {1}
    assert {path.name for path in (house.folders.archive / "reviews").iterdir()} == {
        f"{name}.csv" for name in [*AFTERWARDS["done"], "cancelled"]
    }


def test_what_was_kept_in_other_columns_is_where_it_belongs(house: House) -> None:
    async def look(living: Living) -> None:
        store = living.context.store
        jobs = {(await store.jobs.get(job)).source: await store.jobs.get(job) for job in await store.jobs.ids()}
        swept = jobs["reviews/swept.csv"]
        assert swept.swept_at is not None
        assert swept.size == 75
        assert jobs["reviews/done.csv"].swept_at is None
        assert jobs["reviews/again.csv"].duplicate_of == jobs["reviews/done.csv"].id
        [order] = await store.event_log.orders()
        assert (order.kind, order.target, order.who, order.door) == ("retry", jobs["reviews/failed.csv"].id, None, None)

    house.live(look)
    connection = sqlite3.connect(house.state / "batchd.db")
    assert connection.execute("SELECT DISTINCT lane FROM spending").fetchall() == [("batch",)]
    assert connection.execute("SELECT DISTINCT lane FROM batches").fetchall() == [("batch",)]
    connection.close()


def test_what_waits_for_a_person_can_be_told(house: House) -> None:
    go_on(house)
    for arguments in (("resolve", "00000013", "--found", "batch-5"), ("approve", "held.csv")):
        assert here(*arguments, config=house.config).status == 0
    go_on(house)
    states = {name_of(job): job["state"] for job in jobs_of(house)}
    assert (states["ask"], states["held"]) == ("done", "done")
    assert set(house.service.executed.values()) == {1}
