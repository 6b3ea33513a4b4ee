"""Downloading answers completely: over broken connections, without lengths, from two files, in constant memory."""

from __future__ import annotations

import asyncio
import errno
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai_support import (
    Connect,
    FakeService,
    answer_line,
    batch,
    cut,
    hang_up,
    lengthless,
    named,
    ranged,
    raw,
    remote,
    reset,
    serving,
)

from batchd import Failure, RejectedError, RemoteBatch, RemoteMissing, TransientError
from batchd.answers.meaning import outcome
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

OUT = "/files/file-out/content"
ERR = "/files/file-err/content"

ANSWERS = b"".join(answer_line(row) for row in range(200))
ERRORS = b'{"custom_id":"j-900","response":null,"error":{"code":"batch_expired","message":"Late."}}\n'


def line(response: Any, error: Any = None) -> bytes:
    """An output line."""
    return json.dumps({"custom_id": "j-7", "response": response, "error": error}).encode()


async def fetched(provider: OpenAIProvider, *, before: bytes = b"", **files: Any) -> bytes:
    """What a download appends to `before`."""
    target = io.BytesIO()
    target.write(before)
    await provider.download(remote(**files), target)
    assert target.getvalue().startswith(before)
    return target.getvalue()[len(before) :]


def body(content: bytes, **headers: str) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, headers=headers)

    return handle


def described(size: Any) -> dict[str, Any]:
    return {"id": "file-out", "object": "file", "bytes": size, "filename": "out.jsonl"}


async def test_answers_and_errors_are_one_stream_of_lines(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, body(ANSWERS.rstrip(b"\n"))).on("GET", ERR, body(ERRORS))
    assert await fetched(provider, error="file-err") == ERRORS + ANSWERS
    assert service.calls("GET", OUT)[0].headers["Accept-Encoding"] == "identity"


async def test_it_appends_to_the_target(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, cut(ANSWERS, after=1_000), body(ANSWERS))
    assert await fetched(provider, before=b"of a duplicate\n") == ANSWERS


@pytest.mark.parametrize("empty", ["", None])
async def test_empty_ids_are_no_files(service: FakeService, provider: OpenAIProvider, empty: str | None) -> None:
    service.on("GET", ERR, body(ERRORS))
    assert await fetched(provider, output=empty, error="file-err") == ERRORS
    assert [call.path for call in service.received] == [ERR]


async def test_an_empty_file_adds_nothing(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, body(ANSWERS)).on("GET", ERR, body(b""))
    assert await fetched(provider, error="file-err") == ANSWERS


async def test_without_ids_nothing_is_written(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/batches/batch_1", batch(status="expired", output_file_id="", error_file_id=None))
    assert await fetched(provider, output=None) == b""


@pytest.mark.parametrize(
    "record",
    [
        batch(output_file_id=None, error_file_id=""),
        batch(status="expired", request_counts={"total": 9, "completed": 1, "failed": 0}),
        batch(error_file_id="file-err", request_counts={"total": 9, "completed": 8, "failed": 1}),
    ],
)
async def test_answers_without_a_named_file_may_come_later(
    service: FakeService, provider: OpenAIProvider, record: dict[str, Any]
) -> None:
    service.on("GET", "/batches/batch_1", record).on("GET", ERR, body(ERRORS))
    details = (await provider.poll(remote())).details
    target = io.BytesIO()
    with pytest.raises(TransientError, match="names no file") as raised:
        await provider.download(RemoteBatch("batch_1", "01key", details), target)
    assert isinstance(raised.value, RemoteMissing)
    assert target.getvalue() == (ERRORS if record.get("error_file_id") else b"")
    service.on("GET", "/batches/batch_1", record | {"output_file_id": "file-out"}).on("GET", OUT, body(ANSWERS))
    target = io.BytesIO()
    await provider.download(RemoteBatch("batch_1", "01key", details), target)
    assert target.getvalue().endswith(ANSWERS)


async def test_a_batch_with_only_failed_requests_has_no_answers_to_come(
    service: FakeService, provider: OpenAIProvider
) -> None:
    counts = {"total": 9, "completed": 0, "failed": 9}
    service.on("GET", "/batches/batch_1", batch(error_file_id="file-err", request_counts=counts))
    service.on("GET", ERR, body(ERRORS))
    details = (await provider.poll(remote())).details
    target = io.BytesIO()
    await provider.download(RemoteBatch("batch_1", "01key", details), target)
    assert target.getvalue() == ERRORS
    assert service.count("GET", "/batches/batch_1") == 1


async def test_ids_that_appeared_later_are_looked_up(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/batches/batch_1", batch(output_file_id="file-out")).on("GET", OUT, body(ANSWERS))
    assert await fetched(provider, output=None) == ANSWERS


async def test_a_broken_download_is_resumed(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, cut(ANSWERS, after=5_000), ranged(ANSWERS))
    assert await fetched(provider) == ANSWERS
    first, second = service.calls("GET", OUT)
    assert "Range" not in first.headers
    assert second.headers["Range"] == "bytes=5000-"


async def test_a_big_file_may_break_off_often_as_long_as_it_grows(service: FakeService, connect: Connect) -> None:
    pacing = OpenAIPacing(first_pause=0.002, progress=1_000)
    provider = connect(pacing=pacing)

    async def short(request: web.Request) -> web.StreamResponse:
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        last = len(ANSWERS) - 1
        lines = ["HTTP/1.1 206 Partial Content", f"Content-Range: bytes {start}-{last}/{len(ANSWERS)}"]
        if start == 0:
            lines = ["HTTP/1.1 200 OK"]
        part = ANSWERS[start : start + 1_500]
        return await raw(*lines, f"Content-Length: {len(ANSWERS) - start}", body=part)(request)

    service.on("GET", OUT, short)
    assert await fetched(provider) == ANSWERS
    assert service.count("GET", OUT) > pacing.downloads


async def test_a_file_of_which_nothing_arrives_is_tried_as_often_as_any_call(
    service: FakeService, connect: Connect
) -> None:
    pacing = OpenAIPacing(first_pause=0.002)
    service.on("GET", OUT, 503)
    with pytest.raises(TransientError):
        await fetched(connect(pacing=pacing))
    assert service.count("GET", OUT) == pacing.tries


async def test_a_service_without_ranges_sends_it_again(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, cut(ANSWERS, after=5_000), cut(ANSWERS, after=700), body(ANSWERS))
    assert await fetched(provider) == ANSWERS


@pytest.mark.parametrize("length", [True, False], ids=["with a length", "without"])
async def test_an_unmarked_rest_of_a_file_never_passes_for_the_whole(
    service: FakeService, provider: OpenAIProvider, length: bool
) -> None:
    async def part(request: web.Request) -> web.StreamResponse:
        requested = request.headers.get("Range")
        if requested is None and service.count("GET", OUT) > 1:
            return await body(ANSWERS)(request)
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested else 0
        rest = ANSWERS[start:] if requested else ANSWERS[:5_000]
        with_length = length and requested
        answer = raw("HTTP/1.1 200 OK", f"Content-Length: {len(rest)}", body=rest) if with_length else lengthless(rest)
        return await answer(request)

    service.on("GET", OUT, part)
    service.on("GET", "/files/file-out", described(len(ANSWERS)))
    assert await fetched(provider) == ANSWERS


@pytest.mark.parametrize(
    "answer",
    [
        (416, {"error": {"message": "Range Not Satisfiable"}}),
        (400, {"error": {"message": "What is a range?"}}),
        raw("HTTP/1.1 206 Partial Content", "Content-Length: 4", body=b"junk"),
        raw(
            "HTTP/1.1 206 Partial Content",
            "Content-Length: 4",
            f"Content-Range: bytes 0-3/{len(ANSWERS)}",
            body=b"junk",
        ),
        raw(
            "HTTP/1.1 206 Partial Content", "Content-Length: 4", "Content-Range: bytes 5000-5003/9999999", body=b"junk"
        ),
    ],
    ids=["416", "400", "no position", "wrong position", "other length"],
)
async def test_after_a_wrong_answer_to_a_range_it_starts_at_the_beginning(
    service: FakeService, provider: OpenAIProvider, answer: Any
) -> None:
    service.on("GET", OUT, cut(ANSWERS, after=5_000), answer, ranged(ANSWERS))
    assert await fetched(provider) == ANSWERS
    assert "Range" not in service.calls("GET", OUT)[2].headers


async def test_a_reset_is_retried(service: FakeService, provider: OpenAIProvider) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(len(ANSWERS))})
        await answer.prepare(request)
        await answer.write(ANSWERS[:4_000])
        return await reset(request)

    service.on("GET", OUT, broken, hang_up, 500, 429, ranged(ANSWERS))
    assert await fetched(provider) == ANSWERS


async def test_chunks_that_end_early_are_retried(service: FakeService, provider: OpenAIProvider) -> None:
    chunk = f"{5_000:x}\r\n".encode() + ANSWERS[:5_000] + b"\r\n"
    early = raw("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunk)
    service.on("GET", OUT, early, ranged(ANSWERS))
    assert await fetched(provider) == ANSWERS


async def test_a_short_file_is_detected_by_its_description(service: FakeService, provider: OpenAIProvider) -> None:
    whole_lines = ANSWERS[: ANSWERS.index(b"\n", 5_000) + 1]
    service.on("GET", OUT, lengthless(whole_lines), lengthless(ANSWERS))
    service.on("GET", "/files/file-out", described(len(ANSWERS)))
    assert await fetched(provider) == ANSWERS
    assert [call.headers.get("Range") is None for call in service.calls("GET", OUT)] == [True, False, True]


@pytest.mark.parametrize("description", [404, 405, described(0), described(None), 403], ids=named)
async def test_without_a_description_the_last_line_must_be_whole(
    service: FakeService, provider: OpenAIProvider, description: Any
) -> None:
    service.on("GET", OUT, lengthless(ANSWERS[:5_000]), lengthless(ANSWERS.rstrip(b"\n")))
    service.on("GET", "/files/file-out", description)
    assert await fetched(provider) == ANSWERS
    assert service.count("GET", OUT) == 2


async def test_a_last_line_with_nan_is_complete(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, lengthless(b'{"custom_id":"j-0","logprobs":NaN}')).on("GET", "/files/file-out", 404)
    assert await fetched(provider) == b'{"custom_id":"j-0","logprobs":NaN}\n'
    assert service.count("GET", OUT) == 1


async def test_a_file_that_never_arrives_completely_is_left_to_the_daemon(
    service: FakeService, provider: OpenAIProvider
) -> None:
    service.on("GET", OUT, lengthless(ANSWERS[:5_000])).on("GET", "/files/file-out", described(len(ANSWERS)))
    target = io.BytesIO()
    target.write(b"before\n")
    with pytest.raises(TransientError, match=f"5000 of {len(ANSWERS)} bytes"):
        await provider.download(remote(), target)
    assert service.count("GET", OUT) >= 5
    assert target.getvalue() == b"before\n"


async def test_compressed_content_is_measured_by_its_description(
    service: FakeService, provider: OpenAIProvider
) -> None:
    # So short that it is longer when compressed: by the length of the transfer it would look incomplete.
    content = b'{"custom_id":"j-1"}\n'

    async def compressed(request: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(content), headers={"Content-Encoding": "gzip"})

    service.on("GET", OUT, compressed).on("GET", "/files/file-out", described(len(content)))
    assert await fetched(provider) == content
    assert service.count("GET", "/files/file-out") == 1


async def test_a_file_that_is_not_there_yet_may_come(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, 404)
    with pytest.raises(TransientError, match="minutes after a batch has ended") as raised:
        await fetched(provider)
    assert isinstance(raised.value, RemoteMissing)
    assert service.count("GET", OUT) == 1


async def test_one_missing_file_does_not_stop_the_other(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, 404).on("GET", ERR, body(ERRORS))
    target = io.BytesIO()
    with pytest.raises(RemoteMissing):
        await provider.download(remote(error="file-err"), target)
    assert target.getvalue() == ERRORS


@pytest.mark.parametrize(
    "answer",
    [
        (200, "<html><body>Log in</body></html>"),
        (200, "<!DOCTYPE html>", {"Content-Type": "application/octet-stream"}),
        (200, "Log in", {"Content-Type": "text/html"}),
        (200, "", {"Content-Type": "text/html"}),
    ],
)
async def test_an_html_page_is_not_content(service: FakeService, provider: OpenAIProvider, answer: Any) -> None:
    service.on("GET", OUT, answer)
    with pytest.raises(TransientError, match="when asked to send the file file-out"):
        await fetched(provider)
    service.on("GET", OUT, answer, body(ANSWERS))
    assert await fetched(provider) == ANSWERS


async def test_a_bad_key_is_not_tried_again(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, 401)
    with pytest.raises(RejectedError):
        await fetched(provider)
    assert service.count("GET", OUT) == 1


async def test_a_long_wait_is_left_to_the_daemon(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, (429, {}, {"Retry-After": "600"}))
    with pytest.raises(TransientError) as raised:
        await fetched(provider)
    assert raised.value.retry_after == 600
    assert service.count("GET", OUT) == 1


async def test_a_redirect_to_storage_is_followed_without_the_key(
    service: FakeService, provider: OpenAIProvider
) -> None:
    storage = FakeService().on("GET", "/signed", body(ANSWERS))
    async with serving(storage.handle) as url:
        # Another name for the same machine, so another origin.
        elsewhere = url.replace("127.0.0.1", "localhost") + "/signed?sig=1"
        service.on("GET", OUT, (302, "", {"Location": elsewhere}))
        assert await fetched(provider) == ANSWERS
        await provider.aclose()
    assert "Authorization" not in storage.calls("GET", "/signed")[0].headers


class FullDisk(io.BytesIO):
    def write(self, chunk: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_is_not_the_services_fault(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", OUT, body(ANSWERS))
    with pytest.raises(OSError, match="No space left"):
        await provider.download(remote(), FullDisk())
    assert service.count("GET", OUT) == 1


async def test_a_cancellation_passes_through(service: FakeService, provider: OpenAIProvider) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(ANSWERS[:100])
        await asyncio.Event().wait()
        raise AssertionError

    service.on("GET", OUT, half)
    target = io.BytesIO()
    task = asyncio.create_task(provider.download(remote(), target))
    await service.wait_for_call("GET", OUT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert target.getvalue() == b""


async def test_a_connection_that_falls_silent_is_retried(service: FakeService, connect: Connect) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(len(ANSWERS))})
        await answer.prepare(request)
        await answer.write(ANSWERS[:3_000])
        await asyncio.Event().wait()
        raise AssertionError

    service.on("GET", OUT, silent, ranged(ANSWERS))
    assert await fetched(connect(request_timeout=0.2)) == ANSWERS
    assert service.calls("GET", OUT)[1].headers["Range"] == "bytes=3000-"


async def test_memory_does_not_grow_with_the_file(connect: Connect, tmp_path: Path) -> None:
    line = answer_line(1, size=10_000)
    count = 50_000_000 // len(line)

    async def big(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(count * len(line))})
        await answer.prepare(request)
        for _ in range(count // 100):
            await answer.write(line * 100)
        await answer.write(line * (count % 100))
        return answer

    async with serving(big) as url:
        provider = connect(base_url=url)
        with (tmp_path / "answers").open("w+b") as target:
            tracemalloc.start()
            try:
                await provider.download(remote(), target)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert target.tell() == count * len(line)
        await provider.aclose()
    assert peak < 10_000_000


async def test_results_are_the_lines_that_can_be_read(service: FakeService, provider: OpenAIProvider) -> None:
    odd = '{"custom_id":"j-5","response":{"status_code":200,"body":{"choices":[{"message":{"content":"a\u2028b"}}]}}}\n'
    content = answer_line(1) + b'{"custom_id": "j-2", "respon\n' + b"\n" + odd.encode() + answer_line(3)
    service.on("GET", OUT, body(content)).on("GET", ERR, body(ERRORS))
    results = [result async for result in provider.results(remote(error="file-err"))]
    assert [result.custom_id for result in results] == ["j-900", "j-1", "j-2", "j-5", "j-3"]


async def test_results_say_of_each_line_what_the_daemon_makes_of_the_download(
    service: FakeService, provider: OpenAIProvider
) -> None:
    lines = [
        line({"status_code": status, "body": {"error": {"message": "No."}}})
        for status in (101, 302, 307, 400, 404, 408, 429, 500, 503)
    ]
    lines += [
        line({"body": {}}),
        line(None),
        line(None, {"code": "batch_expired"}),
        line({"status_code": 200}),
        answer_line(1),
    ]
    service.on("GET", OUT, body(b"\n".join(each.strip() for each in lines) + b"\n"))
    results = [result async for result in provider.results(remote())]
    said = [outcome(each) for each in (await fetched(provider)).splitlines()]
    assert [result.outcome for result in results] == said
    passing = [each.transient for each in said if isinstance(each, Failure)]
    assert passing[:9] == [True, True, True, False, False, True, True, True, True]


async def test_a_size_that_the_service_states_wrongly_holds_up_no_download(
    service: FakeService, provider: OpenAIProvider
) -> None:
    for size in (1, len(ANSWERS) + 1_000, 10**15):
        service.on("GET", OUT, lengthless(ANSWERS)).on("GET", "/files/file-out", described(size))
        assert await fetched(provider) == ANSWERS
