"""Uploading the input file, and finding it again if the answer was lost."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai_support import Connect, FakeService, hang_up, named, remote, serving, submission_of

from batchd import RejectedError, SubmissionRefused, TransientError
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider


def stored(id_: str, name: str, size: int | None, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "object": "file", "filename": name, "bytes": size, "purpose": "batch", **fields}


def listed(*files: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(files), "has_more": False}


async def test_the_file_is_uploaded_under_a_name_that_can_be_found_again(
    service: FakeService, connect: Connect, tmp_path: Path
) -> None:
    service.on("POST", "/files", stored("file-9", "x", 1))
    submission = submission_of(tmp_path)
    assert await connect(purpose="batch-api").upload(submission) == "file-9"
    (call,) = service.calls("POST", "/files")
    assert b'filename="batchd-01key-1.jsonl"' in call.body
    assert submission.file.read_bytes() in call.body
    assert b"batch-api" in call.body.split(b'name="file"')[0]
    assert "Content-Length" in call.headers
    assert service.count("GET", "/files") == 0


async def test_a_wrapped_answer(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    service.on("POST", "/files", {"code": 20000, "data": {"id": "file-5", "object": "file"}})
    assert await provider.upload(submission_of(tmp_path)) == "file-5"


async def test_a_lost_answer_is_looked_for_before_sending_again(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    submission = submission_of(tmp_path)
    service.on("POST", "/files", hang_up)
    service.on("GET", "/files", listed(stored("file-3", "batchd-01key-1.jsonl", submission.size)))
    assert await provider.upload(submission) == "file-3"
    assert service.count("POST", "/files") == 1
    assert service.calls("GET", "/files")[0].query["purpose"] == "batch"


async def test_the_next_attempt_uses_the_upload_of_the_last_one(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    submission = submission_of(tmp_path, attempt=2)
    service.on("POST", "/files", 500)
    service.on("DELETE", "/files/file-cut", {"deleted": True})
    service.on("DELETE", "/files/file-broken", 405)
    service.on(
        "GET",
        "/files",
        {
            "object": "list",
            "data": [
                stored("file-other", "batchd-01other-1.jsonl", submission.size),
                stored("file-alike", "batchd-01key-1.jsonl.bak", submission.size),
                stored("file-cut", "batchd-01key-7.jsonl", submission.size - 1),
                stored("file-broken", "batchd-01key-8.jsonl", submission.size, status="error"),
                stored("file-unsized", "batchd-01key-9.jsonl", None),
            ],
            "has_more": True,
        },
        listed(stored("file-whole", "batchd-01key-1.jsonl", submission.size, status="processed")),
    )
    assert await provider.upload(submission) == "file-whole"
    assert service.count("POST", "/files") == 0
    deleted = {call.path for call in service.received if call.method == "DELETE"}
    assert deleted == {"/files/file-cut", "/files/file-broken"}


@pytest.mark.parametrize("answer", [listed(), 404, 405, {"object": "nothing"}, 400], ids=named)
async def test_the_next_attempt_uploads_again_if_nothing_is_found(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any
) -> None:
    service.on("POST", "/files", stored("file-9", "x", 1)).on("GET", "/files", answer)
    assert await provider.upload(submission_of(tmp_path, attempt=3)) == "file-9"
    assert b"batchd-01key-3.jsonl" in service.calls("POST", "/files")[0].body


async def test_a_busy_service_is_retried_and_then_left_to_the_daemon(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("POST", "/files", 503).on("GET", "/files", listed())
    with pytest.raises(TransientError):
        await provider.upload(submission_of(tmp_path))
    assert service.count("POST", "/files") == 3
    service.on("POST", "/files", 503, stored("file-9", "x", 1))
    assert await provider.upload(submission_of(tmp_path)) == "file-9"


async def test_an_upload_that_is_slower_than_allowed_is_stopped(
    service: FakeService, connect: Connect, tmp_path: Path
) -> None:
    # This try is short, so a second one would still start within the ten seconds.
    pacing = OpenAIPacing(min_upload=0.2, tries=1)
    submission = submission_of(tmp_path)
    with submission.file.open("wb") as file:
        file.truncate(30_000_000)

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        await stop.wait()
        writer.close()

    stop = asyncio.Event()
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        provider = connect(base_url=f"http://127.0.0.1:{port}/v1", slowest_upload=1_000_000_000, pacing=pacing)
        with pytest.raises(TransientError, match="in time when asked to take a file"):
            await provider.upload(submission)
    finally:
        stop.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("answer", [404, 405, 501])
async def test_a_service_without_files_has_no_batch_api(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: int
) -> None:
    service.on("POST", "/files", answer)
    with pytest.raises(RejectedError, match="has no Batch API") as raised:
        await provider.upload(submission_of(tmp_path))
    assert raised.value.no_batches


async def test_a_refused_file_is_refused(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    service.on("POST", "/files", (413, "<html>Request Entity Too Large</html>"))
    with pytest.raises(SubmissionRefused, match="status 413") as raised:
        await provider.upload(submission_of(tmp_path))
    assert raised.value.problems[0].code == "http_413"
    assert service.count("POST", "/files") == 1


async def test_an_upload_without_an_id_is_tried_again(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("POST", "/files", {"id": ""}, stored("file-2", "x", 1)).on("GET", "/files", listed())
    assert await provider.upload(submission_of(tmp_path)) == "file-2"


async def test_memory_does_not_grow_with_the_file(service: FakeService, connect: Connect, tmp_path: Path) -> None:
    submission = submission_of(tmp_path)
    with submission.file.open("wb") as file:
        file.truncate(50_000_000)
    received = 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal received
        async for chunk in request.content.iter_any():
            received += len(chunk)
        return web.json_response(stored("file-1", "x", 1))

    async with serving(count) as url:
        provider = connect(base_url=url)
        await provider.aopen()  # which imports the SDK: not what is measured
        tracemalloc.start()
        try:
            await provider.upload(submission)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        await provider.aclose()
    assert received > 50_000_000
    assert peak < 10_000_000


async def test_forgetting_deletes_the_file_and_what_lost_tries_left(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("DELETE", "/files/file-1", {"deleted": True})
    await provider.forget(submission_of(tmp_path))
    assert [(call.method, call.path) for call in service.received] == [("DELETE", "/files/file-1")]
    service.on("GET", "/files", listed(stored("file-2", "batchd-01key-1.jsonl", 5), stored("file-3", "mine.jsonl", 5)))
    service.on("DELETE", "/files/file-1", 404).on("DELETE", "/files/file-2", {"deleted": True})
    await provider.forget(submission_of(tmp_path, attempt=2))
    assert service.count("DELETE", "/files/file-2") == 1
    assert service.count("DELETE", "/files/file-3") == 0


async def test_forgetting_looks_for_a_second_upload_where_the_first_may_have_arrived(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    first, second = (stored(f"file-{number}", f"batchd-01key-{number}.jsonl", 5) for number in (1, 2))
    service.on("POST", "/files", hang_up, second)
    # The list lags behind, so the file is sent again.
    service.on("GET", "/files", listed(), listed(first, second), listed())
    assert await provider.upload(submission_of(tmp_path)) == "file-2"
    service.on("DELETE", "/files/file-2", {"deleted": True}, 404)
    service.on("DELETE", "/files/file-1", 503)
    submission = submission_of(tmp_path, upload="file-2")
    with pytest.raises(TransientError):
        await provider.forget(submission)
    # The daemon tries again.
    service.on("GET", "/files", listed(first), listed()).on("DELETE", "/files/file-1", {"deleted": True})
    await provider.forget(submission)
    assert service.calls("DELETE", "/files/file-1")
    # To list the files of the account for each batch would be too much.
    lists = service.count("GET", "/files")
    await provider.forget(submission)
    await provider.forget(submission_of(tmp_path, key="other", upload="file-2"))
    assert service.count("GET", "/files") == lists


async def test_a_purge_looks_for_what_lost_tries_left(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    names = ("batchd-01key-1.jsonl", "batchd-01key-2.jsonl", "batchd-01other-1.jsonl")
    service.on("GET", "/files", listed(*(stored(f"file-{at}", name, 5) for at, name in enumerate(names))))
    for file in ("file-0", "file-1", "file-out"):
        service.on("DELETE", f"/files/{file}", {"deleted": True})
    purged = await provider.purge(remote(), submission_of(tmp_path))
    assert (purged.deleted, purged.absent, purged.problems) == (["file-1", "file-out", "file-0"], [], [])
    assert service.count("DELETE", "/files/file-2") == 0


async def test_a_purge_that_cannot_look_deletes_what_it_knows(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("GET", "/files", 503)
    for file in ("file-1", "file-out"):
        service.on("DELETE", f"/files/{file}", {"deleted": True})
    purged = await provider.purge(remote(), submission_of(tmp_path, attempt=2))
    assert purged.deleted == ["file-1", "file-out"]
    (problem,) = purged.problems
    assert problem.startswith("uploads of failed tries, if there are any: ")
    assert "status 503" in problem
