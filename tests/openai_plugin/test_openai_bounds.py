"""Bodies, numbers and lists without end: what is read of them is bounded, and the message says so."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai_support import Connect, FakeService, batch, remote, submission_of

from batchd import CannotFind, RejectedError, SubmissionRefused, TransientError, Usage, read_moment
from batchd_openai.client import BoundedClient
from batchd_openai.normalise import status_of
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

pytestmark = pytest.mark.field("hostile services")

MEMORY = 64 * 1024 * 1024


def endless(*, status: int = 200, head: bytes = b'{"a":"', piece: bytes = b"x" * 100_000, **headers: str) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={"Content-Type": "application/json", **headers})
        await answer.prepare(request)
        await answer.write(head)
        try:
            while True:
                await answer.write(piece)
        except (ConnectionError, asyncio.CancelledError):
            return answer

    return handle


def whole(content: bytes, *, status: int = 200, **headers: str) -> Any:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, status=status, headers={"Content-Type": "application/json", **headers})

    return handle


def bomb(size: int = 100_000_000) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    piece = b"x" * 1_000_000
    return b"".join([packer.compress(b'{"a":"'), *(packer.compress(piece) for _ in range(size // len(piece)))]) + (
        packer.flush()
    )


HOSTILE = {
    "no end": endless,
    "gzip of little that unpacks to much": lambda: whole(bomb(), **{"Content-Encoding": "gzip"}),
    "gzip twice": lambda: whole(zlib.compress(bomb(), 9, 31), **{"Content-Encoding": "gzip, gzip"}),
    "brackets": lambda: whole(b"[" * 3_000_000),
    "empty objects": lambda: whole(b'{"data":[' + b"{}," * 2_500_000 + b"{}]}"),
    "a number of a million digits": lambda: whole(b'{"id":' + b"9" * 1_000_000 + b"}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
async def test_an_answer_takes_little_memory(service: FakeService, provider: OpenAIProvider, name: str) -> None:
    service.on("GET", "/batches/batch_1", HOSTILE[name]())
    tracemalloc.start()
    try:
        with pytest.raises(TransientError, match="and batchd reads no more|not JSON|without its status|connection"):
            await provider.poll(remote())
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


async def test_a_create_that_is_answered_without_end_may_have_been_carried_out(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("POST", "/batches", endless())
    with pytest.raises(TransientError, match="more than 8 MB"):
        await provider.submit(submission_of(tmp_path))
    assert service.count("POST", "/batches") == 1


@pytest.mark.parametrize(("status", "error"), [(401, RejectedError), (400, SubmissionRefused), (503, TransientError)])
async def test_an_error_without_end_is_still_that_error(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    service.on("POST", "/batches", endless(status=status))
    with pytest.raises(error) as raised:
        await provider.submit(submission_of(tmp_path))
    assert len(str(raised.value)) < 2_000


@pytest.mark.slow
async def test_an_answer_as_large_as_honest_ones_are_is_read(
    service: FakeService, connect: Connect, tmp_path: Path
) -> None:
    size = submission_of(tmp_path).size
    ours = {"id": "file-ours", "filename": "batchd-01key-1.jsonl", "bytes": size}
    others = [
        {"id": f"file-{n:030}", "object": "file", "purpose": "batch", "filename": f"batchd-other-{n}.jsonl", "bytes": n}
        for n in range(9_999)
    ]
    files = [*others, ours]
    content = gzip.compress(json.dumps({"data": files, "has_more": False}, indent=2).encode())
    service.on("GET", "/files", whole(content, **{"Content-Encoding": "gzip"}))
    found = await connect().upload(submission_of(tmp_path, attempt=2, size=size))
    assert found == "file-ours"
    assert len(content) < BoundedClient.max_answer


@pytest.mark.slow
@pytest.mark.parametrize("source", ["file-1", "file-2"])
async def test_a_list_without_end_of_new_batches_ends(
    service: FakeService, connect: Connect, tmp_path: Path, source: str
) -> None:
    page = 0

    async def more(_: web.Request) -> web.StreamResponse:
        nonlocal page
        page += 1
        batches = [batch(f"batch_{page}_{n}_{'x' * 900}", input_file_id=source) for n in range(500)]
        return web.json_response({"data": batches, "has_more": True})

    service.on("GET", "/batches", more)
    tracemalloc.start()
    try:
        with pytest.raises(CannotFind, match="more than"):
            await connect(pacing=OpenAIPacing(max_items=3_000)).find(submission_of(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


NUMBERS = [
    2**63,
    -(2**63),
    10**400,
    1e308,
    float("inf"),
    float("nan"),
    "9" * 300,
    "-5",
    True,
    None,
    [],
    {},
    "½",
    2**53 + 1,
]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_impossible_numbers_are_unknown(number: Any) -> None:
    counts = {"total": number, "completed": number, "failed": number}
    usage = {"input_tokens": number, "output_tokens": number, "input_tokens_details": {"cached_tokens": number}}
    errors = [{"message": "Bad.", "line": number}]
    status = status_of(batch(request_counts=counts, usage=usage, errors=errors, output_file_id=number))
    assert (status.total, status.completed, status.failed) == (0, 0, 0)
    assert status.usage in {None, Usage()}
    assert status.problems[0].line is None
    assert status.details["output_file_id"] in {None, *map(str, NUMBERS)}
    for when in (number, str(number)):
        assert read_moment(when) in {None, 2**53 / 1000}


def test_numbers_that_are_possible_are_kept() -> None:
    status = status_of(batch(request_counts={"total": 50_000.0, "completed": "49999", "failed": 1}))
    assert (status.total, status.completed, status.failed) == (50_000, 49_999, 1)
