"""The callers that bench/live.py compares, each in a process of its own. Prints what the calls took, as JSON.

python bench/live_contenders.py CALLER URL CALLS IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

WARM_UP = 300
"""Calls before the measurement, so that imports, connections and the like are not measured."""
REVIEW = "The box came late, two of the cups were broken, and nobody answered the phone. " * 14
"""About 1.1 kB: the request has 1.3 kB, the answer of the server 1.6 kB."""


def body(number: int) -> dict[str, Any]:
    """The request of a row."""
    return {
        "model": "bench",
        "max_tokens": 50,
        "temperature": 0,
        "messages": [
            {"role": "system", "content": "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."},
            {"role": "user", "content": f"Review {number}: {REVIEW}"},
        ],
    }


class Clock:
    """Processor and wall time of a stretch."""

    def __init__(self) -> None:
        self.began = time.process_time(), time.perf_counter()

    def taken(self, calls: int) -> dict[str, float]:
        cpu, seconds = time.process_time() - self.began[0], time.perf_counter() - self.began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"calls": calls, "cpu": cpu, "seconds": seconds, "peak": peak}


async def _workers(call: Callable[[int], Awaitable[object]], calls: int, at_once: int) -> None:
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(work() for _ in range(at_once)))


async def typed(url: str, calls: int, at_once: int) -> dict[str, float]:
    """The SDK as its documentation shows it."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def call(number: int) -> None:
            answer = await client.chat.completions.create(**body(number))
            assert answer.choices[0].message.content

        await _workers(call, WARM_UP, at_once)
        clock = Clock()
        await _workers(call, calls, at_once)
        return clock.taken(calls)


async def raw(url: str, calls: int, at_once: int) -> dict[str, float]:
    """aiohttp alone: no limits, no errors, no journal. The body is read and decoded."""
    import aiohttp
    import msgspec

    headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(number: int) -> None:
            request = msgspec.json.encode(body(number))
            async with session.post(f"{url}/chat/completions", data=request, headers=headers) as response:
                assert msgspec.json.decode(await response.read())["choices"]

        await _workers(call, WARM_UP, at_once)
        clock = Clock()
        await _workers(call, calls, at_once)
        return clock.taken(calls)


async def caller(url: str, calls: int, at_once: int) -> dict[str, float]:
    """What batchd runs for each row: request file, pace, the plugin's call, the check, the journal and its syncs."""
    from batchd.live.caller import Caller
    from batchd.sending.pace import Pace
    from batchd_openai.provider import OpenAIProvider

    settings = OpenAIProvider.Settings.model_validate({"base_url": url, "api_key": "none"})
    provider = OpenAIProvider(settings)
    await provider.aopen()
    gc.freeze()  # as the daemon does when it has started
    lane = Caller(provider.answer, Pace(max_window=at_once), timeout=60.0)
    with tempfile.TemporaryDirectory(prefix="batchd-live-") as scratch:
        warm, real = begin(Path(scratch), "warm", WARM_UP), begin(Path(scratch), "real", calls)
        await ask(lane, warm)
        clock = Clock()
        await ask(lane, real)
        taken = clock.taken(calls)
        assert real.completed == calls, lane.trouble
    await lane.stop(within=1.0)
    await provider.aclose()
    return taken


BATCH_ROWS = 10_000
"""As many as a part of a file has, unless its route says otherwise."""
OPEN = 8
"""Batches that the daemon has under way at once on a lane."""


async def memory(url: str, calls: int, at_once: int) -> dict[str, float]:
    """The caller alone, with answers that take a while; batch after batch, as the daemon opens them."""
    del url
    import random

    from batchd import LiveAnswer, LiveCall
    from batchd.live.caller import Caller
    from batchd.sending.pace import Pace

    answer = json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": "x" * 200}, "finish_reason": "stop"}]}
    )

    async def answering(_call: LiveCall) -> LiveAnswer:
        await asyncio.sleep(random.uniform(0.01, 0.03))
        return LiveAnswer(200, answer.encode(), {"content-type": "application/json"})

    lane = Caller(answering, Pace(max_window=at_once), timeout=60.0)
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="batchd-live-") as scratch:

        async def some(numbers: Iterator[int]) -> None:
            for number in numbers:
                batch = begin(Path(scratch), f"job{number}", BATCH_ROWS)
                await ask(lane, batch)
                assert batch.completed == BATCH_ROWS
                for path in Path(scratch).glob(f"job{number}.*"):
                    path.unlink()

        numbers = iter(range(calls // BATCH_ROWS))
        await asyncio.gather(*(some(numbers) for _ in range(OPEN)))
    return clock.taken(calls)


def lines(job: str, calls: int) -> Iterator[bytes]:
    """A request file, as the daemon writes it."""
    request = json.dumps(body(0), separators=(",", ":"))
    for number in range(calls):
        yield (
            f'{{"custom_id":"{job}-{number}","method":"POST","url":"/v1/chat/completions","body":{request}}}\n'.encode()
        )


def begin(folder: Path, key: str, calls: int) -> Any:
    """Create a batch of `calls` rows with an empty journal."""
    from batchd.live.journal import create, read
    from batchd.live.rows import LiveBatch

    file, journal = folder / f"{key}.jsonl", folder / f"{key}.journal"
    with file.open("wb") as output:
        output.writelines(lines(key, calls))
    create(journal, {"model": "bench", "endpoint": "/v1/chat/completions", "requests": calls})
    past = read(journal)
    assert past is not None
    return LiveBatch.open(key, file, journal, past)


async def ask(lane: Any, batch: Any) -> None:
    """Ask the rows of a batch on a lane, until all have their outcome."""
    lane.add(batch)
    while not batch.over:
        batch.news.clear()
        await batch.news.wait()


CALLERS = {"caller": caller, "typed SDK": typed, "raw aiohttp": raw, "memory": memory}


def main() -> None:
    name, url, calls, at_once = sys.argv[1:5]
    print(json.dumps(asyncio.run(CALLERS[name](url, int(calls), int(at_once)))))


if __name__ == "__main__":
    main()
