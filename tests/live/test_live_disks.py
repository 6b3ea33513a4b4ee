"""A disk of journals that is full, or fails, while calls are made: no answer is lost, and no row is asked twice."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchd import LiveAnswer, LiveCall, RequestId
from batchd.live.caller import Caller
from batchd.live.journal import JournalState, create, read
from batchd.live.rows import LiveBatch
from batchd.sending.pace import Pace

from ..durability.disks import Disk, require_mounting
from ..durability.strace import Strace, require_strace
from ..open_files import open_below
from .conftest import said
from .virtual_time import run

pytestmark = pytest.mark.slow

ROWS = 3
PAGE = 4096
"""A full tmpfs still takes what fits into the last page of a file."""
LATENCY = 5.0
MORE_THAN_A_PAGE = "x" * PAGE
PATIENCE = 60.0


class Service:
    """Answers each row, after a while, with a text that needs room."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, call: LiveCall) -> LiveAnswer:
        self.asked.append(call.custom_id)
        await asyncio.sleep(LATENCY)
        return said(MORE_THAN_A_PAGE)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    require_mounting()
    small = Disk(tmp_path / "disk", megabytes=1)
    yield small
    small.close()


def ids(job: str = "first123") -> list[str]:
    """The rows of a job."""
    return [str(RequestId(job, row)) for row in range(ROWS)]


def batch(folder: Path, disk: Path, job: str = "first123") -> LiveBatch:
    """Rows to be asked. Its journal, on that disk, fills a page: each further byte needs room."""
    lines = ({"custom_id": custom_id, "body": {"model": "small"}} for custom_id in ids(job))
    (folder / f"{job}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    head = {"endpoint": "/v1/chat/completions", "requests": ROWS, "model": ""}
    create(disk / job, head)
    missing = PAGE - (disk / job).stat().st_size
    (disk / job).unlink()
    create(disk / job, {**head, "model": "m" * missing})
    return again(folder, disk, job)


def again(folder: Path, disk: Path, job: str = "first123") -> LiveBatch:
    """The batch, opened from its journal."""
    return LiveBatch.open(job, folder / f"{job}.jsonl", disk / job, journal(disk, job))


def journal(disk: Path, job: str = "first123") -> JournalState:
    """What its journal says."""
    past = read(disk / job)
    assert past is not None
    return past


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait by the clock of the loop; the deadline only says that it never will be."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        await asyncio.sleep(0.1)


def is_full(lane: Caller) -> bool:
    """Whether the lane says that the disk is full."""
    return isinstance(lane.trouble, OSError) and lane.trouble.errno == errno.ENOSPC


def test_the_last_answers_of_a_batch_wait_for_room(tmp_path: Path, disk: Disk) -> None:
    async def work() -> None:
        asked = batch(tmp_path, disk.point)
        lane.add(asked)
        await asyncio.sleep(LATENCY / 2)
        disk.fill()
        await asyncio.sleep(10 * LATENCY)
        assert is_full(lane), lane.trouble
        # It would get the number of a descriptor that was closed too early.
        with (tmp_path / "other").open("wb") as other:
            await asyncio.sleep(10 * LATENCY)
            assert is_full(lane), lane.trouble
            disk.grow()
            await until(lambda: asked.over, "the batch is over")
            await lane.stop(within=1.0)
            os.fstat(other.fileno())
        assert (tmp_path / "other").read_bytes() == b""

    service = Service()
    lane = Caller(service, Pace(), timeout=60.0)
    run(work())
    assert Counter(service.asked) == dict.fromkeys(ids(), 1)
    assert journal(disk.point).answered == set(ids())
    assert journal(disk.point).open == set()
    assert open_below(disk.point) == []


def test_a_stop_while_the_disk_is_full_closes_the_journal_once(tmp_path: Path, disk: Disk) -> None:
    async def stopped() -> None:
        lane = Caller(service, Pace(), timeout=60.0)
        lane.add(batch(tmp_path, disk.point))
        await asyncio.sleep(LATENCY / 2)
        disk.fill()
        await asyncio.sleep(10 * LATENCY)
        with (tmp_path / "other").open("wb") as other:
            await lane.stop(within=1.0)
            os.fstat(other.fileno())
        assert open_below(disk.point) == []

    async def goes_on() -> set[str]:
        lane = Caller(service, Pace(), timeout=60.0)
        asked = again(tmp_path, disk.point)
        lane.add(asked)
        await until(lambda: asked.over, "the batch is over")
        return asked.unsure

    service = Service()
    run(stopped())
    disk.grow()
    assert run(goes_on()) == set(ids()), "the answers went with the process, and each row that is asked again is told"
    assert journal(disk.point).answered == set(ids())


def test_a_batch_that_cannot_be_opened_leaves_no_file_open(tmp_path: Path, disk: Disk) -> None:
    async def work() -> None:
        first = batch(tmp_path, disk.point)
        for custom_id in ids():
            first.journal.note("?", custom_id)
        first.journal.write()
        first.journal.let_go()  # as a kill does, with calls under way
        with (disk.point / "first123").open("ab") as file:
            file.write(b"?" + b"x" * (PAGE - 2 - file.tell() % PAGE) + b"\n")  # the page is full
        disk.fill()
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                again(tmp_path, disk.point)
        assert open_below(disk.point) == []
        disk.grow()
        opened = again(tmp_path, disk.point)
        assert opened.unsure >= set(ids())
        await opened.journal.close()

    run(work())


@pytest.mark.parametrize("beside", [False, True])
def test_a_call_that_cannot_be_noted_leaves_no_trace(tmp_path: Path, disk: Disk, beside: bool) -> None:
    async def work() -> None:
        batches = [batch(tmp_path, disk.point)]
        if beside:
            # Its journal has room, and is written first.
            batches.insert(0, batch(tmp_path, tmp_path, "beside12"))
        disk.fill()
        for each in batches:
            lane.add(each)
        await asyncio.sleep(1)
        assert is_full(lane), lane.trouble
        assert lane.pace.in_flight == 0
        assert lane.pace.wait(asyncio.get_running_loop().time(), 1.0) == 0.0, "the calls did not use up the minute"
        for each in batches:
            each.held = True
        disk.grow()
        await until(lambda: lane.trouble is None, "the disk has room")
        # What a kill would leave now.
        assert [journal(each.journal.path.parent, each.key).open for each in batches] == [set()] * len(batches)
        assert service.asked == []
        for each in batches:
            each.held = False
        lane.wake()
        await until(lambda: all(each.over for each in batches), "the batches are over")

    service = Service()
    lane = Caller(service, Pace(requests_per_minute=None if beside else 1), timeout=60.0)
    run(work())
    assert Counter(service.asked) == dict.fromkeys([*ids(), *(ids("beside12") if beside else [])], 1)
    assert journal(disk.point).answered == set(ids())


def test_a_disk_that_fails_to_sync_is_tried_again(tmp_path: Path) -> None:
    require_strace()

    async def work() -> None:
        lane = Caller(service, Pace(), timeout=60.0)
        asked = batch(tmp_path, tmp_path)
        lane.add(asked)
        await until(lambda: asked.over, "the batch is over")
        await lane.stop(within=1.0)

    service = Service()
    strace = Strace([os.getpid()], strike="fdatasync:error=EIO:when=1..3")
    try:
        run(work())
        assert strace.struck()
    finally:
        strace.close()
    assert Counter(service.asked) == dict.fromkeys(ids(), 1)
    assert journal(tmp_path).answered == set(ids())
