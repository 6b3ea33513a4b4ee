"""The rows of a job come some at a time, from any row on, and go on where they were when the daemon comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web

from batchd.client import AsyncClient, Client, NotReachable, RequestRefused
from batchd.client.api import Api
from batchd.client.core import Core, JobKey
from batchd.delivery.outbox import SpoolRows

ROWS = [
    {"row": number, "status": "ok", "columns": {"id": number}, "answer": {"answer": "re"}, "failure": None}
    for number in range(6)
]


def test_results_begin_at_any_row(client: Client) -> None:
    job = client.submit([{"review": f"row {number}"} for number in range(5)], route="reviews", name="paged")
    job.wait(60)
    for offset in (0, 2, 4, 5, 9):
        assert [row.row for row in job.results(offset)] == list(range(offset, 5))


def test_parts_before_the_first_row_are_not_read() -> None:
    read: list[int] = []
    parts = [SimpleNamespace(first=first, rows=10) for first in range(0, 30, 10)]

    def run(_: object, part: Any) -> object:
        read.append(part.first)
        raise InterruptedError

    spool, job = SimpleNamespace(run=run), SimpleNamespace(columns=["id"], dialect=None, rows=30, id="j")
    with pytest.raises(InterruptedError):
        list(SpoolRows(cast("Any", spool), cast("Any", job), cast("Any", parts), ["answer"], since=15))
    assert read == [10]


@asynccontextmanager
async def breaking(times: int, asked: list[int], folder: Path, *, busy: int = 0) -> AsyncIterator[str]:
    """A daemon that is killed each time after it has sent two rows, so many times. First it is so many times busy."""
    refused = iter(range(busy))

    async def job(request: web.Request) -> web.Response:
        return web.json_response({"job": {"id": "j", "source": "may.csv"}})

    async def results(request: web.Request) -> web.StreamResponse:
        if next(refused, None) is not None:
            error = {"error": {"message": "Too many requests at once."}}
            return web.json_response(error, status=503, headers={"Retry-After": "0"})
        asked.append(int(request.query["offset"]))
        response = web.StreamResponse()
        await response.prepare(request)
        some = ROWS[asked[-1] :]
        killed = len(asked) <= times
        for row in some[:2] if killed else some:
            await response.write(msgspec.json.encode(row) + b"\n")
        if killed:
            await response.write(b'{"row": 7, "sta')
            assert request.transport is not None
            request.transport.abort()
        return response

    async def routes(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "Unknown request URL."}}, status=404)

    application = web.Application()
    application.router.add_get("/api/v1", routes)
    application.router.add_get("/api/v1/routes", routes)
    application.router.add_get("/api/v1/jobs/{job}", job)
    application.router.add_get("/api/v1/jobs/{job}/results", results)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "s")).start()
    try:
        yield f"unix:{folder / 's'}"
    finally:
        await runner.cleanup()


async def test_results_go_on_where_they_were(tmp_path: Path) -> None:
    asked: list[int] = []
    async with breaking(2, asked, tmp_path) as address, AsyncClient(address) as client:
        job = await client.job("j")
        assert [row.row async for row in job.results(1)] == [1, 2, 3, 4, 5]
    assert asked[0] == 1
    assert asked == sorted(asked)
    assert len(asked) == 3


async def test_a_daemon_that_is_busy_is_asked_again_for_results(tmp_path: Path) -> None:
    asked: list[int] = []
    async with breaking(0, asked, tmp_path, busy=2) as address, AsyncClient(address) as client:
        assert len([row async for row in (await client.job("j")).results()]) == 6
    async with breaking(0, asked, tmp_path, busy=99) as address, AsyncClient(address) as client:
        job = await client.job("j")
        with pytest.raises(RequestRefused, match="Too many requests"):
            [row async for row in job.results()]
    assert asked == [0]


async def test_a_daemon_that_stays_away_is_said(tmp_path: Path) -> None:
    asked: list[int] = []
    async with breaking(99, asked, tmp_path) as address:
        core = Core(address, None, None)
        with pytest.raises(NotReachable, match="No batchd answers"):
            await core.loop.wait(_all(core.results(JobKey("may.csv", id="j"), 6, away=0.0)))
        await core.loop.wait(core.close())
        core.loop.close()


async def test_what_is_not_batchd_is_said(tmp_path: Path) -> None:
    async with breaking(0, [], tmp_path) as address, AsyncClient(address, token="t") as client:
        with pytest.raises(NotReachable, match="is not batchd"):
            await client.routes()
        api = Api(address, None)
        with pytest.raises(NotReachable, match="is not batchd"):
            await api.get()
        await api.close()


async def _all(pieces: AsyncIterator[Any]) -> list[Any]:
    return [piece async for piece in pieces]
