"""Jobs on one lane take turns: by the priority of their routes, and a small one is not held up by a large one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from batchd import LiveAnswer, LiveCall, RequestId, TooManyCalls
from batchd.live.caller import Caller
from batchd.live.journal import create, read
from batchd.live.rows import LiveBatch
from batchd.sending.pace import Pace

from .conftest import said
from .virtual_time import run


class Service:
    """Answers each call after so many seconds. `answered` counts by job, `last` is when a job had its last answer."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.answered: Counter[str] = Counter()
        self.last: dict[str, float] = {}

    async def __call__(self, call: LiveCall) -> LiveAnswer:
        await asyncio.sleep(self.latency)
        request = RequestId.read(call.custom_id)
        assert request is not None
        self.answered[request.job] += 1
        self.last[request.job] = asyncio.get_running_loop().time()
        return said()


def lane(service: Service, per_second: float) -> Caller:
    """The calls to it, of which it takes so many a second."""
    return Caller(service, Pace(requests_per_minute=60 * per_second), timeout=60.0)


def batch(folder: Path, job: str, rows: int, *, weight: int = 1) -> LiveBatch:
    """A file of so many rows, to be asked."""
    file, path = folder / f"{job}.jsonl", folder / f"{job}.journal"
    lines = ({"custom_id": str(RequestId(job, row)), "body": {"model": "small"}} for row in range(rows))
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    create(path, {"model": "small", "endpoint": "/v1/chat/completions", "requests": rows})
    past = read(path)
    assert past is not None
    made = LiveBatch.open(job, file, path, past)
    made.weight = weight
    return made


@pytest.mark.parametrize("per_second", [1, 5, 20])
@pytest.mark.parametrize("latency", [0.2, 5.0])
def test_ten_rows_beside_very_many_take_at_most_twice_their_time_alone(
    tmp_path: Path, per_second: float, latency: float
) -> None:
    async def measure(others: int) -> float:
        service = Service(latency)
        calls = lane(service, per_second)
        if others:
            calls.add(batch(tmp_path, "large123", others))
        await asyncio.sleep(10)
        calls.add(batch(tmp_path, f"small{others}", 10))
        await asyncio.sleep(40)
        await calls.stop(within=100)
        assert service.answered[f"small{others}"] == 10
        return service.last[f"small{others}"] - 10

    assert run(measure(60 * int(per_second))) <= 2 * run(measure(0))


def test_shares_are_those_of_the_priorities(tmp_path: Path) -> None:
    async def measure() -> Counter[str]:
        service = Service(1.0)
        calls = lane(service, 20)
        calls.add(batch(tmp_path, "plain123", 1_000))
        calls.add(batch(tmp_path, "first123", 1_000, weight=3))
        await asyncio.sleep(30)
        await calls.stop(within=100)
        return service.answered

    answered = run(measure())
    assert answered.total() > 500
    assert answered["first123"] / answered["plain123"] == pytest.approx(3, rel=0.1)


@pytest.mark.field("outages")
def test_a_service_that_takes_no_call_for_a_minute_is_named_until_it_does(tmp_path: Path) -> None:
    class Refusing(Service):
        refuses = True

        async def __call__(self, call: LiveCall) -> LiveAnswer:
            if self.refuses:
                raise TooManyCalls("The service is overloaded (status 503).")
            return await super().__call__(call)

    async def watch() -> list[str | None]:
        service = Refusing(0.1)
        calls = lane(service, 20)
        calls.add(batch(tmp_path, "small123", 3))
        seen = []
        for seconds in (50, 50, 100):
            await asyncio.sleep(seconds)
            seen.append(None if (error := calls.refuses_all) is None else str(error))
            service.refuses = len(seen) < 2
        await calls.stop(within=10)
        return seen

    before, after, well = run(watch())
    assert (before, well) == (None, None)
    assert after is not None
    assert after.startswith("The service is overloaded (status 503). It has refused every call as one too many for ")
