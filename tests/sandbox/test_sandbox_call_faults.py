"""Faults of single calls: what the client sees, and what the server did anyway."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from sandbox_kit import Running, as_jsonl, request_lines, running, until

pytestmark = pytest.mark.slow

ONE = as_jsonl(request_lines(1))


async def _calls(sandbox: Running) -> dict[str, int]:
    return dict((await sandbox.ledger())["calls"])


async def test_upload_cut_stores_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.order("upload:cut")
        with pytest.raises(openai.APIConnectionError):
            await sandbox.upload(b"x" * 3_000_000)
        assert list((tmp_path / "drafts").iterdir()) == list((tmp_path / "files").iterdir()) == []
        ledger = await sandbox.ledger()
        assert (ledger["upload_calls"], ledger["uploads"]) == (1, [])
        assert await sandbox.upload(ONE)


async def test_upload_cut_after_stores_the_file(sandbox: Running) -> None:
    await sandbox.order("upload:cut-after")
    with pytest.raises(openai.APIConnectionError):
        await sandbox.upload(ONE, name="mine.jsonl")
    assert [one["filename"] for one in (await sandbox.ledger())["uploads"]] == ["mine.jsonl"]
    assert [one.filename async for one in sandbox.client.files.list()] == ["mine.jsonl"]


@pytest.mark.parametrize(
    ("fault", "status", "uploads"),
    [("upload:500", 500, 0), ("upload:500-after", 500, 1), ("upload:429", 429, 0), ("upload:429-after", 429, 1)],
)
async def test_upload_refused(sandbox: Running, fault: str, status: int, uploads: int) -> None:
    await sandbox.order(fault)
    with pytest.raises(openai.APIStatusError) as refused:
        await sandbox.upload(ONE)
    assert refused.value.status_code == status
    assert len((await sandbox.ledger())["uploads"]) == uploads


async def test_a_429_says_when_to_retry(sandbox: Running) -> None:
    await sandbox.order("upload:429:retry-after=7", "create:429", "retrieve:429:code=insufficient_quota")
    with pytest.raises(openai.RateLimitError) as refused:
        await sandbox.upload(ONE)
    assert refused.value.response.headers["retry-after"] == "7"
    assert refused.value.code == "rate_limit_exceeded"
    with pytest.raises(openai.RateLimitError) as refused:
        await sandbox.create("file-x")
    assert refused.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.RateLimitError, match="quota") as refused:
        await sandbox.client.batches.retrieve("batch_x")
    assert refused.value.code == "insufficient_quota"


async def test_upload_slow(sandbox: Running) -> None:
    await sandbox.order("upload:slow:delay=300ms")
    begun = time.monotonic()
    assert await sandbox.upload(ONE)
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize(
    ("fault", "error", "batches"),
    [
        ("create:cut", openai.APIConnectionError, 0),
        ("create:cut-after", openai.APIConnectionError, 1),
        ("create:500", openai.InternalServerError, 0),
        ("create:500-after", openai.InternalServerError, 1),
        ("create:503", openai.InternalServerError, 0),
        ("create:429", openai.RateLimitError, 0),
        ("create:429-after", openai.RateLimitError, 1),
        ("create:400", openai.BadRequestError, 0),
        ("create:401", openai.AuthenticationError, 0),
        ("create:403", openai.PermissionDeniedError, 0),
    ],
)
async def test_create_fails_and_is_applied_or_not(
    sandbox: Running, fault: str, error: type[openai.OpenAIError], batches: int
) -> None:
    file_id = await sandbox.upload(ONE)
    await sandbox.order(fault)
    with pytest.raises(error):
        await sandbox.create(file_id)
    ledger = await sandbox.ledger()
    assert ledger["create_calls"] == 1
    assert [one["input_file_id"] for one in ledger["batches"]] == [file_id] * batches
    assert [one.input_file_id async for one in sandbox.client.batches.list()] == [file_id] * batches
    assert await sandbox.create(file_id)


async def test_create_late_takes_effect_after_the_client_has_gone(sandbox: Running) -> None:
    file_id = await sandbox.upload(ONE)
    await sandbox.order("create:late:delay=3s")
    begun = time.time()
    with pytest.raises(openai.APIConnectionError):
        await sandbox.create(file_id, metadata={"key": "mine"})
    assert time.time() - begun < 3
    before = await sandbox.ledger()
    assert (before["batches"], before["batches_to_come"], before["create_calls"]) == ([], 1, 1)
    assert [one async for one in sandbox.client.batches.list()] == []

    async def appeared() -> Any:
        return [one async for one in sandbox.client.batches.list()]

    (batch,) = await until(appeared)
    assert time.time() - begun >= 3
    assert batch.metadata == {"key": "mine"}
    assert (await sandbox.finished(batch.id)).status == "completed"
    after = await sandbox.ledger()
    assert (after["requests_executed"], after["batches_to_come"]) == (1, 0)


async def test_create_timeout_is_applied_before_the_client_gives_up(sandbox: Running) -> None:
    file_id = await sandbox.upload(ONE)
    await sandbox.order("create:timeout:delay=20s")
    with pytest.raises(openai.APITimeoutError):
        await sandbox.client.with_options(timeout=0.3).batches.create(
            input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
        )
    assert len((await sandbox.ledger())["batches"]) == 1


async def test_create_timeout_answers_in_the_end(sandbox: Running) -> None:
    file_id = await sandbox.upload(ONE)
    await sandbox.order("create:timeout:delay=300ms")
    begun = time.monotonic()
    batch = await sandbox.create(file_id)
    assert time.monotonic() - begun >= 0.3
    assert [one["id"] for one in (await sandbox.ledger())["batches"]] == [batch.id]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("retrieve:500", openai.InternalServerError),
        ("retrieve:cut", openai.APIConnectionError),
        ("retrieve:404", openai.NotFoundError),
        ("retrieve:cut-after", openai.APIConnectionError),
    ],
)
async def test_retrieve_fails_once(sandbox: Running, fault: str, error: type[openai.OpenAIError]) -> None:
    batch = await sandbox.run(ONE)
    await sandbox.order(fault)
    with pytest.raises(error) as refused:
        await sandbox.client.batches.retrieve(batch.id)
    if isinstance(refused.value, openai.NotFoundError):
        assert batch.id in str(refused.value)
        assert refused.value.code == "batch_not_found"
    assert (await sandbox.client.batches.retrieve(batch.id)).status == "completed"


async def test_retrieve_html_is_a_200_without_a_batch(sandbox: Running) -> None:
    batch = await sandbox.run(ONE)
    await sandbox.order("retrieve:html")
    answer = await sandbox.client.batches.with_raw_response.retrieve(batch.id)
    assert answer.http_response.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert (await sandbox.client.batches.retrieve(batch.id)).status == "completed"


async def test_list_not_offered(sandbox: Running) -> None:
    await sandbox.order("list:404:count=always", "files-list:404:count=always")
    for _ in range(3):
        with pytest.raises(openai.NotFoundError):
            await sandbox.client.batches.list()
        with pytest.raises(openai.NotFoundError):
            await sandbox.client.files.list()
    await sandbox.lift()
    assert (await sandbox.client.batches.list()).data == []
    assert (await sandbox.client.files.list()).data == []


async def test_list_fails(sandbox: Running) -> None:
    await sandbox.order("list:500", "list:html")
    with pytest.raises(openai.InternalServerError):
        await sandbox.client.batches.list()
    answer = await sandbox.client.batches.with_raw_response.list()
    assert answer.text.startswith("<!DOCTYPE html>")
    assert (await sandbox.client.batches.list()).data == []
    assert (await _calls(sandbox))["list"] == 3


async def test_content_404_for_a_while(sandbox: Running) -> None:
    batch = await sandbox.run(ONE)
    await sandbox.order("content:404:count=2")
    for _ in range(2):
        with pytest.raises(openai.NotFoundError):
            await sandbox.content(batch.output_file_id)
    assert (await sandbox.content(batch.output_file_id)).endswith(b"\n")


async def _streamed(
    sandbox: Running, file_id: str, start: int | None = None
) -> tuple[int, dict[str, str], bytes, bool]:
    """The status, the headers, the received bytes, and whether the connection broke."""
    came = b""
    headers = {} if start is None else {"Range": f"bytes={start}-"}
    async with sandbox.client.files.with_streaming_response.content(file_id, extra_headers=headers) as answer:
        status, got = answer.status_code, dict(answer.headers)
        try:
            async for block in answer.iter_bytes():
                came += block
        except httpx2.HTTPError:
            return status, got, came, True
    return status, got, came, False


CONTENT = bytes(range(256)) * 4000


async def test_content_cut_can_be_resumed(sandbox: Running) -> None:
    file_id = await sandbox.upload(CONTENT)
    await sandbox.order("content:cut")
    status, headers, came, broken = await _streamed(sandbox, file_id)
    assert (status, headers["content-length"], broken) == (200, str(len(CONTENT)), True)
    assert 0 < len(came) <= len(CONTENT) // 2
    assert CONTENT.startswith(came)
    status, headers, rest, broken = await _streamed(sandbox, file_id, len(came))
    assert (status, broken) == (206, False)
    assert came + rest == CONTENT


async def test_content_cut_again_while_resuming(sandbox: Running) -> None:
    file_id = await sandbox.upload(CONTENT)
    await sandbox.order("content:cut")
    status, headers, came, broken = await _streamed(sandbox, file_id, 1000)
    assert (status, broken) == (206, True)
    assert headers["content-range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert CONTENT[1000:].startswith(came)


async def test_content_without_range(sandbox: Running) -> None:
    file_id = await sandbox.upload(CONTENT)
    await sandbox.order("content:no-range", "content:cut")
    _, _, came, broken = await _streamed(sandbox, file_id, 10)
    assert broken
    assert CONTENT.startswith(came)
    status, headers, again, broken = await _streamed(sandbox, file_id, len(came))
    assert (status, broken) == (200, False)
    assert headers["content-length"] == str(len(CONTENT))
    assert again == CONTENT


async def test_content_short_shows_no_error(sandbox: Running) -> None:
    file_id = await sandbox.upload(CONTENT)
    await sandbox.order("content:short")
    status, headers, came, broken = await _streamed(sandbox, file_id)
    assert (status, broken) == (200, False)
    assert "content-length" not in headers
    assert "transfer-encoding" not in headers
    assert came == CONTENT[: len(CONTENT) // 2]
    assert await sandbox.content(file_id) == CONTENT


@pytest.mark.parametrize(
    ("fault", "lines"),
    [("content:empty", 0), ("content:half", 2), ("content:other", 0)],
    ids=["empty", "half", "other"],
)
async def test_content_that_comes_whole_and_is_not_the_file(sandbox: Running, fault: str, lines: int) -> None:
    content = b'{"n": 1}\n{"n": 2}\n{"n": 3}\n{"n": 4}\n'
    file_id = await sandbox.upload(content)
    await sandbox.order(fault)
    status, headers, came, broken = await _streamed(sandbox, file_id)
    assert (status, broken) == (200, False)
    assert came == b"".join(content.splitlines(keepends=True)[:lines])
    assert headers["content-length"] == str(len(came))
    assert await sandbox.content(file_id) == content


async def test_content_slow_trickles(sandbox: Running) -> None:
    file_id = await sandbox.upload(CONTENT)
    await sandbox.order("content:slow:delay=400ms")
    begun = time.monotonic()
    async with sandbox.client.files.with_streaming_response.content(file_id) as answer:
        pieces = [(time.monotonic() - begun, block) async for block in answer.iter_bytes()]
    assert b"".join(block for _, block in pieces) == CONTENT
    assert pieces[-1][0] - pieces[0][0] >= 0.3


async def test_delete_and_cancel_fail(sandbox: Running) -> None:
    file_id = await sandbox.upload(ONE)
    await sandbox.order("delete:500", "cancel:500-after", "batch:stuck", "file:404")
    with pytest.raises(openai.InternalServerError):
        await sandbox.client.files.delete(file_id)
    with pytest.raises(openai.NotFoundError):
        await sandbox.client.files.retrieve(file_id)
    assert (await sandbox.client.files.retrieve(file_id)).id == file_id
    batch = await sandbox.create(file_id)
    with pytest.raises(openai.InternalServerError):
        await sandbox.client.batches.cancel(batch.id)
    assert (await sandbox.finished(batch.id)).status == "cancelled"


@pytest.mark.parametrize(
    ("fault", "error", "answers"),
    [
        ("chat:429:retry-after=2", openai.RateLimitError, 0),
        ("chat:500", openai.InternalServerError, 0),
        ("chat:500-after", openai.InternalServerError, 1),
        ("chat:400", openai.BadRequestError, 0),
        ("chat:cut", openai.APIConnectionError, 0),
        ("chat:cut-after", openai.APIConnectionError, 1),
    ],
)
async def test_chat_fails(sandbox: Running, fault: str, error: type[openai.OpenAIError], answers: int) -> None:
    await sandbox.order(fault)
    with pytest.raises(error):
        await _question(sandbox, "hello")
    assert (await sandbox.ledger())["live"]["answers"] == answers
    assert (await _question(sandbox, "hello")).choices[0].message.content == "You wrote: hello"


async def _question(sandbox: Running, text: str) -> Any:
    return await sandbox.client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])


async def test_chat_answers_are_cut_or_empty(sandbox: Running) -> None:
    await sandbox.order("chat:length", "chat:empty")
    cut = (await _question(sandbox, "one two three four five six")).choices[0]
    assert cut.finish_reason == "length"
    assert "You wrote: one two three four five six".startswith(cut.message.content)
    empty = (await _question(sandbox, "hello")).choices[0]
    assert (empty.finish_reason, empty.message.content) == ("stop", None)


async def test_a_marker_chooses_the_request(sandbox: Running) -> None:
    await sandbox.order("chat:400:marker=cà phê,count=always")
    assert await _question(sandbox, "trà đá")
    for _ in range(2):
        with pytest.raises(openai.BadRequestError):
            await _question(sandbox, "một cà phê sữa")
    escaped = b'{"model":"m","messages":[{"role":"user","content":"c\\u00e0 ph\\u00ea"}]}'
    async with sandbox.session.post(
        f"{sandbox.url}/chat/completions", data=escaped, headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 400


async def test_a_fraction_of_calls_fails(sandbox: Running) -> None:
    await sandbox.order("models:503:fraction=0.3,count=always")
    failed = 0
    for _ in range(100):
        try:
            await sandbox.client.models.list()
        except openai.InternalServerError:
            failed += 1
    assert 10 <= failed <= 50
    assert (await sandbox.faults())[0]["taken"] == failed


async def test_a_fault_is_taken_as_often_as_ordered(sandbox: Running) -> None:
    await sandbox.order("models:500:count=2", "models:404")
    seen = []
    for _ in range(4):
        try:
            await sandbox.client.models.list()
            seen.append(200)
        except openai.APIStatusError as refused:
            seen.append(refused.status_code)
    assert seen == [500, 500, 404, 200]
    assert [(one["taken"], one["count"], one["used_up"]) for one in await sandbox.faults()] == [
        (2, 2, True),
        (1, 1, True),
    ]


async def test_a_revoked_key_until_lifted(sandbox: Running) -> None:
    batch = await sandbox.run(ONE)
    await sandbox.order("auth:401")
    for call in (sandbox.client.models.list(), sandbox.client.batches.retrieve(batch.id), sandbox.upload(ONE)):
        with pytest.raises(openai.AuthenticationError) as refused:
            await call
        assert refused.value.code == "invalid_api_key"
        assert "any-key-will" not in str(refused.value)
    await sandbox.lift()
    assert (await sandbox.client.models.list()).data
    assert len((await sandbox.ledger())["uploads"]) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("all:503", openai.InternalServerError),
        ("all:500", openai.InternalServerError),
        ("all:cut", openai.APIConnectionError),
    ],
)
async def test_all_down_until_lifted(sandbox: Running, fault: str, error: type[openai.OpenAIError]) -> None:
    await sandbox.order(fault)
    for _ in range(3):
        with pytest.raises(error):
            await sandbox.client.models.list()
        with pytest.raises(error):
            await sandbox.create("file-x")
    assert (await sandbox.ledger())["batches"] == []
    await sandbox.lift()
    assert (await sandbox.client.models.list()).data


async def test_all_refuse_closes_the_port_for_a_while(sandbox: Running) -> None:
    await sandbox.client.models.list()
    await sandbox.order("all:refuse:delay=1s")
    host, port = sandbox.url.removeprefix("http://").removesuffix("/v1").split(":")

    async def refused() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return True
        writer.close()
        await writer.wait_closed()
        return False

    await until(refused, 1)
    with pytest.raises(openai.APIConnectionError):
        await sandbox.client.models.list()

    async def back() -> Any:
        try:
            return (await sandbox.client.models.list()).data
        except openai.APIConnectionError:
            return None

    assert await until(back, 5)


async def test_a_cut_is_a_reset_on_the_wire(sandbox: Running) -> None:
    await sandbox.order("all:cut")
    host, port = sandbox.url.removeprefix("http://").removesuffix("/v1").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"faults": ["create:cutt"]}, "create has no fault"),
        ({"faults": ["models:500", "creat:cut"]}, 'did you mean "create"'),
        ({"faults": "models:500"}, "Expected"),
        ({}, "Expected"),
    ],
)
async def test_an_order_that_is_not_understood_orders_nothing(sandbox: Running, body: Any, words: str) -> None:
    async with sandbox.session.post(sandbox.url.replace("/v1", "/sandbox/faults"), json=body) as answer:
        assert answer.status == 400
        assert words in (await answer.json())["error"]["message"]
    assert await sandbox.faults() == []
    assert (await sandbox.client.models.list()).data


async def test_faults_from_the_start(tmp_path: Path) -> None:
    async with running(tmp_path, faults=("models:500", "models:500")) as sandbox:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                await sandbox.client.models.list()
        assert (await sandbox.client.models.list()).data
    # The same command line on the same folder does not order them again: they are used up.
    async with running(tmp_path, faults=("models:500", "models:500")) as sandbox:
        assert (await sandbox.client.models.list()).data


@pytest.mark.field("hostile services")
@pytest.mark.parametrize(("fault", "uploads"), [("upload:redirect", 0), ("upload:redirect-after", 1)])
async def test_a_redirect_names_another_origin(sandbox: Running, fault: str, uploads: int) -> None:
    await sandbox.order(fault)
    async with httpx2.AsyncClient(base_url=str(sandbox.client.base_url)) as client:
        key = {"Authorization": f"Bearer {sandbox.client.api_key}"}
        answered = await client.post("files", headers=key, files={"file": ("a.jsonl", ONE)}, data={"purpose": "batch"})
    assert answered.status_code == 307
    assert httpx2.URL(answered.headers["location"]).host != sandbox.client.base_url.host
    assert len((await sandbox.ledger())["uploads"]) == uploads


@pytest.mark.field("hostile services")
@pytest.mark.parametrize("fault", ["models:endless", "models:bomb"])
async def test_an_answer_without_end(sandbox: Running, fault: str) -> None:
    await sandbox.order(fault)
    arrived = 0
    async with httpx2.AsyncClient(base_url=str(sandbox.client.base_url)) as client:
        key = {"Authorization": f"Bearer {sandbox.client.api_key}"}
        async with client.stream("GET", "models", headers=key) as answered:
            async for piece in answered.aiter_bytes():
                arrived += len(piece)
                if arrived > 20_000_000:
                    break
    assert arrived > 20_000_000


@pytest.mark.field("hostile services")
async def test_an_error_that_repeats_the_key(sandbox: Running) -> None:
    await sandbox.order("models:echo")
    with pytest.raises(openai.BadRequestError) as refused:
        await sandbox.client.models.list()
    assert str(sandbox.client.api_key) in str(refused.value)
    assert "\\u00" in str(refused.value)
