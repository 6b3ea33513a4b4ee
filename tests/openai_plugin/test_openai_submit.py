"""The one call that costs money: it is sent once, and its error says what is certain."""

from __future__ import annotations

import asyncio
import socket
import traceback
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai_support import KEY, Connect, FakeService, batch, hang_up, named, raw, reset, submission_of

from batchd import NotSent, RejectedError, RemoteMissing, SubmissionRefused, TransientError
from batchd_openai.provider import OpenAIProvider


async def test_the_batch_is_created_from_the_upload(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("POST", "/batches", batch("batch_7", "validating"))
    assert await provider.submit(submission_of(tmp_path)) == "batch_7"
    (call,) = service.calls("POST", "/batches")
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert call.json == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"batchd_key": "01key"},
    }


@pytest.mark.field("creates of unknown outcome")
async def test_a_create_carries_the_key_of_its_outcome(service: FakeService, connect: Connect, tmp_path: Path) -> None:
    service.on("POST", "/batches", batch())
    for create_key in ("", "01key-2"):
        await connect().submit(submission_of(tmp_path, create_key=create_key))
    await connect(idempotency_key=False).submit(submission_of(tmp_path))
    keys = [call.headers.get("Idempotency-Key") for call in service.calls("POST", "/batches")]
    assert keys == ["01key", "01key-2", None]


async def test_the_configured_fields_are_sent(service: FakeService, connect: Connect, tmp_path: Path) -> None:
    service.on("POST", "/batches", batch())
    extra = {"output_expires_after": {"anchor": "created_at", "seconds": 3600}, "metadata": {"team": "blue"}}
    await connect(extra_body=extra, completion_window="7d").submit(submission_of(tmp_path))
    await connect(metadata=False).submit(submission_of(tmp_path))
    first, second = service.calls("POST", "/batches")
    assert first.json["output_expires_after"]["seconds"] == 3600
    assert first.json["metadata"] == {"team": "blue", "batchd_key": "01key"}
    assert first.json["completion_window"] == "7d"
    assert "metadata" not in second.json


@pytest.mark.parametrize(
    "answer",
    [
        {"job": {"id": "b-1", "status": "VALIDATING"}, "warning": "it may take long"},
        {"code": 20000, "message": "Ok", "data": {"id": "b-1", "status": "queued"}},
        {"batch_id": "b-1"},
    ],
)
async def test_the_id_is_found_in_any_envelope(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any
) -> None:
    service.on("POST", "/batches", answer)
    assert await provider.submit(submission_of(tmp_path)) == "b-1"


async def test_a_number_is_an_id_too(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    service.on("POST", "/batches", {"id": 4711, "status": "queued"})
    assert await provider.submit(submission_of(tmp_path)) == "4711"


@pytest.mark.parametrize(
    "answer",
    [
        500,
        502,
        503,
        408,
        409,
        429,
        (200, {"object": "batch", "status": "validating"}),
        (200, {"data": [batch()]}),
        (200, "<html>We are down</html>"),
        (200, "ok"),
        (200, ""),
        (503, "<html>busy</html>"),
        hang_up,
        reset,
        raw("HTTP/1.1 200 OK", "Content-Length: 100", body=b'{"id": "ba'),
        raw("this is not HTTP"),
    ],
    ids=named,
)
async def test_if_the_batch_may_exist_the_call_is_not_repeated_and_not_called_unsent(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any
) -> None:
    service.on("POST", "/batches", answer)
    with pytest.raises(TransientError) as raised:
        await provider.submit(submission_of(tmp_path))
    assert not isinstance(raised.value, NotSent)
    assert service.count("POST", "/batches") == 1


async def test_a_service_that_does_not_answer_in_time(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    created = asyncio.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        created.set()
        await asyncio.Event().wait()
        raise AssertionError

    service.on("POST", "/batches", late)
    with pytest.raises(TransientError, match="did not answer in time when asked to create a batch") as raised:
        await provider.submit(submission_of(tmp_path, timeout=0.2))
    assert not isinstance(raised.value, NotSent)
    assert created.is_set()
    assert service.count("POST", "/batches") == 1


async def test_an_answer_that_trickles_does_not_exceed_the_timeout(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.02)

    service.on("POST", "/batches", trickle)
    with pytest.raises(TransientError, match="in time"):
        await provider.submit(submission_of(tmp_path, timeout=0.3))
    assert service.count("POST", "/batches") == 1


async def test_a_cancellation_passes_through(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    service.on("POST", "/batches", never)
    task = asyncio.create_task(provider.submit(submission_of(tmp_path)))
    await service.wait_for_call("POST", "/batches")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_was_sent_if_nothing_listens(connect: Connect, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(NotSent, match="Connection refused"):
            await connect(base_url=f"http://127.0.0.1:{port}/v1").submit(submission_of(tmp_path))


async def test_nothing_was_sent_to_a_name_that_does_not_resolve(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="DNS"):
        await connect(base_url="https://nobody.invalid/v1").submit(submission_of(tmp_path))


async def test_nothing_was_sent_if_tls_fails(service: FakeService, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="does not speak TLS"):
        await connect(base_url=service.url.replace("http:", "https:")).submit(submission_of(tmp_path))
    assert not service.received


async def test_nothing_was_sent_if_connecting_takes_too_long(connect: Connect, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        try:
            for each in waiting:
                # These fill the queue of connections, since nothing accepts them.
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            provider = connect(base_url=f"http://127.0.0.1:{port}/v1", connect_timeout=0.2)
            with pytest.raises(NotSent, match="cannot be reached"):
                await provider.submit(submission_of(tmp_path))
        finally:
            for each in waiting:
                each.close()


async def test_a_bad_key_is_named_by_its_source_and_never_shown(
    service: FakeService, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = f"Incorrect API key provided: {KEY}. Also seen: sk-tes**********e21d."
    service.on("POST", "/batches", (401, {"error": {"message": message, "code": "invalid_api_key"}}))
    monkeypatch.setenv("ACME_KEY", KEY)
    with pytest.raises(RejectedError) as raised:
        await connect(api_key="env:ACME_KEY").submit(submission_of(tmp_path))
    text = str(raised.value)
    assert "the environment variable ACME_KEY" in text
    assert service.url in text
    everything = "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
    assert KEY not in everything
    assert "sk-tes***" not in everything
    assert "e21d" not in everything


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((403, {"error": {"message": "No."}}), "refused the key"),
        ((402, {"error": {"message": "Pay."}}), "cannot pay"),
        ((429, {"error": {"message": "You exceeded it.", "code": "insufficient_quota"}}), "cannot pay"),
        ((400, {"error": {"message": "Bad key", "status": "API_KEY_INVALID"}}), "refused the key"),
        ((404, {"detail": "Not Found"}), "has no Batch API"),
        ((405, {"detail": "Method Not Allowed"}), "has no Batch API"),
        ((501, "not here"), "has no Batch API"),
    ],
)
async def test_a_person_must_act(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any, says: str
) -> None:
    service.on("POST", "/batches", answer)
    with pytest.raises(RejectedError, match=says) as raised:
        await provider.submit(submission_of(tmp_path))
    assert service.count("POST", "/batches") == 1
    assert raised.value.no_batches is (says == "has no Batch API"), "only then jobs may be asked in another way"


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "No such File object: file-1", "param": "input_file_id", "code": None}},
        {"error": {"message": "The requested object file-1 is gone."}},
    ],
)
async def test_a_missing_input_file_is_missing(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any
) -> None:
    service.on("POST", "/batches", (404, answer))
    with pytest.raises(RemoteMissing):
        await provider.submit(submission_of(tmp_path))


async def test_a_refusal_says_which_lines(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    errors = {"object": "list", "data": [{"code": "invalid_json_line", "message": "Not JSON.", "line": 2}]}
    service.on("POST", "/batches", (400, {"errors": errors}))
    with pytest.raises(SubmissionRefused) as raised:
        await provider.submit(submission_of(tmp_path))
    (problem,) = raised.value.problems
    assert (problem.code, problem.message, problem.line) == ("invalid_json_line", "Not JSON.", 2)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((422, {"error": {"message": "Wrong endpoint.", "code": "invalid_url"}}), "invalid_url"),
        ((400, {"detail": [{"msg": "field required", "type": "missing"}]}), "http_400"),
        ((413, "<html>413</html>"), "http_413"),
        ((400, {"error": "just a sentence"}), "http_400"),
        ((400, {"error": {"code": "token_limit_exceeded", "message": "Too much."}}), "token_limit_exceeded"),
        ((400, "BadRequest: token_limit_exceeded for this deployment"), "token_limit_exceeded"),
        ((429, {"error": {"message": "Enqueued token limit reached for m."}}), "token_limit_exceeded"),
    ],
)
async def test_other_refusals_have_a_code(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any, code: str
) -> None:
    service.on("POST", "/batches", answer)
    with pytest.raises(SubmissionRefused) as raised:
        await provider.submit(submission_of(tmp_path))
    assert raised.value.problems[0].code == code
    assert service.count("POST", "/batches") == 1


async def test_nothing_was_sent_while_azure_still_processes_the_file(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    message = "Only files with status 'Processed' are accepted."
    service.on("POST", "/batches", (400, {"error": {"message": message, "code": "invalidPayload"}}))
    with pytest.raises(NotSent) as raised:
        await provider.submit(submission_of(tmp_path))
    assert raised.value.retry_after is not None
    service.on("POST", "/batches", (400, {"error": {"message": "The file could not be processed."}}))
    with pytest.raises(SubmissionRefused):
        await provider.submit(submission_of(tmp_path))


async def test_the_services_retry_after_is_passed_on(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("POST", "/batches", (429, {"error": {"message": "Slowly."}}, {"Retry-After": "77"}))
    with pytest.raises(TransientError) as raised:
        await provider.submit(submission_of(tmp_path))
    assert raised.value.retry_after == 77
