"""Endpoints for programs that send rows: the estimate of a file, the job of an upload, the results of a job."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from ..contracts import ResultRow
from ..model import RowStatus
from ..status.finding import find_jobs
from ..status.uploads import ReceivedFile
from .answers import Refused, as_json, number_in
from .guard import SETTING
from .receiving import received_aside

if TYPE_CHECKING:
    from .desk import Desk

ROWS_AT_ONCE = 500
"""Rows that are read in one go: some 10 ms of work in a thread."""
WRITE_WITHIN = 60.0
"""Seconds that a program may take for a piece of the results before it is disconnected."""
RESULTS_AT_ONCE = 16
"""Programs that get results at a time; more wait."""
_results = asyncio.Semaphore(RESULTS_AT_ONCE)
ESTIMATES_AT_ONCE = 2
_estimates = asyncio.Semaphore(ESTIMATES_AT_ONCE)
_encode = msgspec.json.Encoder().encode


async def estimate(desk: Desk, request: web.Request) -> web.StreamResponse:
    """What a file would cost by this route; the body is the file, of which nothing is kept."""
    route, name = request.match_info["route"], request.match_info["name"]
    if _estimates.locked():
        raise Refused(503, "Too many estimates are being made. Try again soon.", headers={"Retry-After": "5"})
    async with _estimates, received_aside(request, route, name) as file:
        return as_json(await desk.backend.estimate(file, route))


async def upload(desk: Desk, request: web.Request) -> web.StreamResponse:
    """The job of an uploaded file, by the word in the answer to its upload."""
    sent, setting = ReceivedFile.of(request.match_info["upload"]), request[SETTING]

    def look() -> dict[str, Any]:
        # Look into the inbox first: a file becomes a job before it leaves the inbox.
        waits = sent.waits_in(setting.inbox)
        job = sent.job(setting.places.state)
        return {"place": sent.place, "job": job, "waits_in_inbox": job is None and waits}

    return as_json(await desk.read(look))


async def results(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Every row of a finished job with its outcome, a JSON object a line, in the order of the file.

    `offset` skips this many rows, which is as quick at the end of the file as at its beginning.
    """
    since = number_in(request.query, "offset", 0, most=10**9)
    word, state = request.match_info["job"], request[SETTING].places.state
    [job] = await desk.read(lambda: find_jobs(state, [word]))
    rows = await desk.backend.results(job.id, since)
    names, answers = list(rows.columns), list(rows.answer_columns)
    remaining = iter(rows)

    def piece() -> bytes:
        return b"".join(_encode(_line(row, names, answers)) + b"\n" for row in islice(remaining, ROWS_AT_ONCE))

    async with _results:
        # Read the first piece before the answer begins: until then, a fault of the working files can be said in words.
        ready = await desk.read(piece)
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        while request.method != "HEAD" and ready:
            async with asyncio.timeout(WRITE_WITHIN):
                await response.write(ready)
            ready = await asyncio.to_thread(piece)
        return response


def _line(row: ResultRow, names: list[str], answers: list[str]) -> dict[str, Any]:
    """One row: the columns of the file, the columns of the answer, and why there is no answer."""
    answer = row.answer or [None] * len(answers)
    failure = row.failure if row.status is not RowStatus.OK else None
    return {
        "row": row.number,
        "status": row.status.value,
        "columns": dict(zip(names, row.values, strict=False)),
        "answer": dict(zip(answers, answer, strict=False)),
        "failure": None if failure is None else {"code": failure.code, "message": failure.message},
    }
