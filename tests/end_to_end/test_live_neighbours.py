"""Ten providers that are asked by live calls, of which eight are bad, with a sink and an observer that hang."""

from __future__ import annotations

import asyncio
import os
import queue
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ..durability.rig import NurseryPlace, shared_nursery
from .conftest import Place, until
from .test_neighbours import AT_MOST, HEALTHY, MAY_ADD, TOP, make_folders, seconds_of_the_healthy

pytestmark = [pytest.mark.slow, pytest.mark.field("neighbours")]

LONG = os.environ.get("BATCHD_EVERY_CASE") == "1"
FILES_OF_THE_BAD, ROUNDS = (25, 3) if LONG else (6, 1)
LATENCY = 1.5
"""So long that a busy machine adds little to it."""
ANSWER_TIMEOUT = 6

PROVIDER = """
[providers.{name}]
plugin = "openai"
mode = "live"
base_url = "{url}"
api_key = "env:SANDBOX_KEY"
poll = "500ms"
linger = "0s"
call_timeout = "20s"
answer_timeout = "{timeout}s"

[routes.{name}]
provider = "{name}"
model = "small"
sinks = {sinks}

[routes.{name}.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"
"""
STUCK = """
import asyncio
import time

from batchd import Observer, Sink, hookimpl


class StuckSink(Sink):
    async def publish(self, job, rows):
        await asyncio.to_thread(time.sleep, 10_000)


class StuckObserver(Observer):
    async def notice(self, event):
        await asyncio.to_thread(time.sleep, 10_000)


@hookimpl
def register_sinks(register):
    register("stuck", StuckSink)


@hookimpl
def register_observers(register):
    register("stuck", StuckObserver)
"""
ANSWER = {"id": "1", "object": "chat.completion", "usage": {"prompt_tokens": 5, "completion_tokens": 1}} | {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "good"}}]
}


async def healthy(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(LATENCY)
    return web.json_response(ANSWER)


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(10_000)
    return web.Response()


async def dripping(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(1)


async def hooked(_: web.Request) -> web.StreamResponse:
    return web.json_response(ANSWER)


def refusing(status: int, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "No.", "code": "no"}}, status=status, headers=headers)

    return refuse


async def lying(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


SERVICES = dict.fromkeys(HEALTHY, healthy) | {
    "silent": silent,
    "dripping": dripping,
    "refusing": refusing(401),
    "breaking": refusing(503),
    "full": refusing(429, **{"Retry-After": "1"}),
    "lying": lying,
    "hooked": hooked,
}


@contextmanager
def serving() -> Iterator[str]:
    """All services in one thread; the address of them, before their names."""
    ports: queue.SimpleQueue[int] = queue.SimpleQueue()
    ends: list[Callable[[], object]] = []

    async def serve() -> None:
        app = web.Application()
        for name, service in SERVICES.items():
            app.router.add_post(f"/{name}/v1/chat/completions", service)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(end.set))
        ports.put(runner.addresses[0][1])
        await end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{ports.get(timeout=30)}"
    finally:
        ends[0]()
        thread.join(10)


@pytest.fixture
def ten(tmp_path: Path) -> Iterator[Place]:
    place = NurseryPlace(tmp_path, shared_nursery())
    with ExitStack() as leaving:
        address = leaving.enter_context(serving())
        leaving.callback(place.close)
        urls = {name: f"{address}/{name}/v1" for name in SERVICES}
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            urls["down"] = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        (tmp_path / "plugins.d").mkdir()
        (tmp_path / "plugins.d" / "stuck.py").write_text(STUCK)
        sinks = {name: '["csv", "stuck"]' if name == "hooked" else '["csv"]' for name in urls}
        tables = "".join(
            PROVIDER.format(name=name, url=url, timeout=ANSWER_TIMEOUT, sinks=sinks[name]) for name, url in urls.items()
        )
        stuck = '[sinks.stuck]\nplugin = "stuck"\npublish_timeout = "3s"\n[observers.stuck]\nplugin = "stuck"\n'
        (tmp_path / "config.toml").write_text(TOP + tables + stuck)
        make_folders(place, urls)
        yield place


@pytest.mark.slow(seconds=20)
@pytest.mark.usefixtures("alone")
def test_eight_bad_providers_of_ten_do_not_keep_the_live_calls_of_two_waiting(ten: Place) -> None:
    ten.run()
    seconds_of_the_healthy(ten, "first")  # workers and connections are there from here on
    alone = min(seconds_of_the_healthy(ten, f"alone-{number}") for number in range(ROUNDS))
    bad = sorted({*SERVICES, "down"} - {*HEALTHY})
    for name in bad:
        for number in range(FILES_OF_THE_BAD):
            ten.drop(f"{name}/bad-{number}.csv", "review\n" + "".join(f"{name} {number} {row}\n" for row in range(20)))

    def said() -> str:
        return ten.batchd("status").stdout

    # Those that take no call at all, each as one too many, are named after a minute.
    troubled = ("refusing", "down", "lying", "silent", "dripping", *(("breaking", "full") if LONG else ()))
    named = {"sink stuck", *(f"provider {name}" for name in troubled)}
    beside = min(seconds_of_the_healthy(ten, f"beside-{number}") for number in range(ROUNDS))
    if beside > AT_MOST * alone + MAY_ADD:
        # The machine may have stood still, which does not happen to it each time.
        beside = seconds_of_the_healthy(ten, "again")
    until(lambda: named <= ten.troubles().keys(), "each is named", seconds=120)
    assert [each for each in named if each not in said()] == []
    print(f"alone {alone:.1f} s, beside eight bad ones {beside:.1f} s: {beside / alone:.2f} times")
    assert beside <= AT_MOST * alone + MAY_ADD
    # A call has a limit of time in all: a drip is never silent, and is ended all the same.
    assert f"did not answer within {ANSWER_TIMEOUT} s" in " ".join(said().split())
    skipped = ten.batchd("skip-sink", "hooked/bad-0.csv", "stuck")
    assert skipped.returncode == 0, skipped.stdout + skipped.stderr
    ten.report("hooked/bad-0")
