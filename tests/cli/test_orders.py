"""`batchd cancel`, `retry`, `resolve`: orders are left for the daemon, and it says what came of them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchd.store.tables.orders import StoredOrder
from batchd.testing.household import Living

from .cli_kit import House, drain, finished_house, half_way, held, here, stuck


@contextmanager
def a_daemon(house: House) -> Iterator[None]:
    """One that lives in a thread, looks all the time, and does nothing but carry out orders."""
    ready, stop = threading.Event(), threading.Event()

    async def look(living: Living) -> None:
        ready.set()
        while not stop.is_set():
            await living.engine.look()
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=house.live, args=(look,))
    thread.start()
    try:
        assert ready.wait(30)
        yield
    finally:
        stop.set()
        thread.join()


def open_orders(house: House) -> list[StoredOrder]:
    found: list[StoredOrder] = []

    async def look(living: Living) -> None:
        found.extend(await living.context.store.event_log.orders())

    house.live(look)
    return found


def test_without_a_daemon_the_order_waits_for_the_next_start(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")
    said = here("cancel", "june.csv", config=house.config)
    assert said.status == 0
    assert said.out == (
        f"No daemon is running. It will cancel job {job} when it is started: batchd run\n"
        f"(The order is kept in {house.state}.)\n"
    )
    assert [(order.kind, order.target, order.data) for order in open_orders(house)] == [("cancel", job, {})]


def test_the_daemon_answers(tmp_path: Path) -> None:
    house, jobs = half_way(tmp_path / "house", "reviews/june.csv", "reviews/july.csv")
    with a_daemon(house):
        said = here("cancel", *jobs, config=house.config)
    assert said.out.splitlines() == [
        f"Job {job} is being cancelled; rows that are answered already are delivered." for job in jobs
    ]
    assert open_orders(house) == []


def test_an_approval_that_is_refused_is_no_success(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")
    with a_daemon(house):
        said = here("approve", job, config=house.config)
    assert (said.status, said.out) == (1, "")
    assert "there is nothing to approve" in said.err


def test_for_machines(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    with a_daemon(house):
        [record] = here("retry", job, "--json", config=house.config).json()
    assert record == {
        "order": 1,
        "kind": "retry",
        "target": job,
        "answered": True,
        "refused": False,
        "answer": f"1 row of job {job} will be asked again; the results will stand beside the first ones.",
    }


def test_an_order_that_is_refused_ends_with_status_1(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    with a_daemon(house):
        said = here("cancel", job, config=house.config)
        assert (said.status, said.out) == (1, "")
        assert said.err == f"batchd: Job {job} is done already; nothing was changed.\n"
        machine = here("cancel", job, "--json", config=house.config)
    assert machine.status == 1
    [record] = json.loads(machine.out)
    assert record["answered"] is True
    assert record["refused"] is True


def test_one_refusal_among_several_is_enough(tmp_path: Path) -> None:
    house, [june] = half_way(tmp_path / "house", "reviews/june.csv")
    with a_daemon(house):
        assert here("retry", june, config=house.config).status == 1
        assert here("cancel", june, config=house.config).status == 0
        said = here("cancel", june, config=house.config)
    assert said.status == 1
    assert said.err == f"batchd: Job {june} is being cancelled already; nothing was changed.\n"


def test_retry_of_a_job_that_stands_still(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    job = stuck(house)
    assert here("retry", "stuck.csv", config=house.config).status == 0
    house.live(drain)
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert (record["id"], record["state"], record["rows"]["ok"]) == (job, "done", 2)


@pytest.mark.parametrize(
    ("arguments", "data"), [(("--found", "batch-1"), {"found": "batch-1"}), (("--absent",), {"absent": True})]
)
def test_resolve(tmp_path: Path, arguments: tuple[str, ...], data: dict[str, object]) -> None:
    house, job, batch = held(tmp_path / "house")
    assert here("resolve", batch, *arguments, config=house.config).status == 0
    [order] = open_orders(house)
    assert (order.kind, order.target, order.data) == ("resolve", batch, data)
    house.live(drain)
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert (record["id"], record["state"]) == (job, "done")
    # Who says that it is there pays once; who says that it is not, though it was, pays twice.
    assert house.service.creates == (1 if arguments[0] == "--found" else 2)


@pytest.mark.parametrize("arguments", [(), ("--found", "batch-1", "--absent"), ("--found", "")])
def test_resolve_wants_to_know_one_thing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    house, _, batch = held(tmp_path / "house")
    said = here("resolve", batch, *arguments, config=house.config)
    assert said.status == 2
    assert "Say either --found REMOTE_ID or --absent." in said.err
    assert open_orders(house) == []


def test_nothing_is_ordered_if_one_name_is_wrong(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")
    said = here("cancel", job, "nope", config=house.config)
    assert said.status == 2
    assert open_orders(house) == []


def test_a_job_named_twice_is_ordered_once(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")
    here("cancel", job, "june.csv", config=house.config)
    assert len(open_orders(house)) == 1


def test_no_database_no_order(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    assert here("cancel", "may.csv", config=house.config).status == 2
    assert not house.state.exists()


@pytest.mark.field("people's data")
def test_a_purge_asks_first_and_needs_a_yes_where_nobody_can_be_asked(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path)
    refused = here("purge", job, config=house.config)
    assert refused.status == 2
    assert "Without a terminal, say --yes" in refused.err
    said = here("purge", job, "--yes", config=house.config)
    assert said.status == 0
    assert f"It will purge job {job} when it is started" in said.out
    house.live(drain)
    details = here("status", job, "--json", config=house.config).json()["job"]
    assert details["timestamps"]["purged"] is not None
    assert "batchd keeps nothing of its rows" in here("status", job, config=house.config).out
    assert not (house.state / "jobs" / job).exists()


def test_a_pause_is_shown_where_people_look(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")
    assert here("pause", "nobody", config=house.config).status == 2
    with a_daemon(house):
        said = here("pause", "fake", config=house.config)
        assert (said.status, said.err) == (0, ""), said
        assert said.out.startswith("Provider fake is paused: nothing new is sent")
        assert "pause of provider fake" in here("status", config=house.config).out
        [condition] = here("status", "--json", config=house.config).json()["conditions"]
        assert condition["text"].endswith("To go on: batchd resume fake")
        said = here("resume", config=house.config)
        assert (said.status, said.out) == (0, "Provider fake goes on.\n"), said
    told = [event.kind for event in house.events if event.kind.startswith("Sending")]
    assert told == ["SendingPaused", "SendingResumed"]
