"""Services that differ from OpenAI's, as the tables of services say it: each played by a server that behaves that way.

Quirks that are tested elsewhere:

    Azure       empty ids and counts (poll), files still processed, quota at the create (submit), `canceled` (poll)
    Groq        cursors (find), errors as a list (poll), 498 and a day's headers (live, sending/test_pace)
    Together    wrapped and upper case (poll), the purpose (upload)
    Gemini      ids with a slash (poll), 48 hours (provider_faults/test_expiring)
    LiteLLM     runner_lost (provider_faults/test_endings), a cancel that is refused (poll), long ids (here)
    llama-stack batches that never end (provider_faults/test_standstill)
    AIBrix      files that are not there yet (download)
    Fireworks   pending without end (provider_faults/test_standstill)
    gateways    bodies as JSON texts (provider_faults/test_shapes), limits in words (sending/test_named_limits)
    vLLM        queues and refuses nothing (sending/test_pace), no routes (live/test_lane_finding)
    OpenRouter, Mistral, xAI (inline_plugin), Anthropic (anthropic_plugin)
    DeepSeek    prices by the hour (money/test_lanes)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from openai_support import KEY, Connect, FakeService, answer_line, batch, serving, submission_of

from batchd import BatchPhase, Failure, LiveCall, RejectedError, RemoteBatch, Result, TransientError, read_output_line
from batchd.plugin.catalogue import Catalogue
from batchd_openai.provider import OpenAIProvider

pytestmark = pytest.mark.field("services")


@pytest.fixture
def of_service(service: FakeService, connect: Connect) -> Any:
    """A provider with what is known of a service, at the test's own address."""

    def make(name: str) -> OpenAIProvider:
        keys = dict(Catalogue.load().service(name)["provider"])
        own = {key: value for key, value in keys.items() if key in OpenAIProvider.Settings.model_fields}
        return connect(**own | {"base_url": service.url, "api_key": KEY})

    return make


# --- Together ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def storage() -> AsyncIterator[FakeService]:
    """Where Together has the bytes of its files put."""
    fake = FakeService()
    fake.on("PUT", "/bucket/f9", (200, ""))
    async with serving(fake.handle) as url:
        fake.url = url.replace("127.0.0.1", "localhost")
        yield fake


def signed(storage: FakeService) -> tuple[int, str, dict[str, str]]:
    return (
        302,
        "",
        {"Location": f"{storage.url}/bucket/f9?sig=1", "X-Together-File-Id": "file-9", "Set-Cookie": "a=4711"},
    )


async def test_together_takes_the_file_by_a_storage(
    service: FakeService, storage: FakeService, of_service: Any, tmp_path: Path
) -> None:
    service.on("POST", "/files", signed(storage))
    service.on("POST", "/files/file-9/preprocess", {"id": "file-9", "Processed": True, "LineCount": 0})
    submission = submission_of(tmp_path, requests=5_000, upload=None)
    assert await of_service("together").upload(submission) == "file-9"
    [asked] = service.calls("POST", "/files")
    assert parse_qs(asked.body.decode()) == {
        "purpose": ["batch-api"], "file_name": ["batchd-01key-1.jsonl"], "file_type": ["jsonl"],
    }  # fmt: skip
    [put] = storage.received
    assert put.body == submission.file.read_bytes()
    assert put.headers["Content-Length"] == str(submission.size)
    # The rows and nothing else: no key, no cookie.
    assert not [each for each in (KEY, "Authorization", "4711") if each in f"{put.headers}"]
    assert service.count("POST", "/files/file-9/preprocess") == 1


@pytest.mark.parametrize("status", [403, 500])
async def test_a_storage_that_refuses_is_tried_again_later(
    service: FakeService, storage: FakeService, of_service: Any, tmp_path: Path, status: int
) -> None:
    service.on("POST", "/files", signed(storage)).on("GET", "/files", {"data": []})
    storage.on("PUT", "/bucket/f9", (status, "no"))
    with pytest.raises(TransientError, match=f"has files put to localhost, and that answers with status {status}"):
        await of_service("together").upload(submission_of(tmp_path, upload=None))
    assert service.count("POST", "/files/file-9/preprocess") == 0


async def test_no_file_goes_to_an_address_that_is_less_safe_or_has_no_id(
    service: FakeService, storage: FakeService, of_service: Any, tmp_path: Path
) -> None:
    for headers in (
        {"Location": "ftp://x/y", "X-Together-File-Id": "file-9"},
        {"Location": f"{storage.url}/bucket/f9"},
    ):
        service.answers.clear()
        service.on("POST", "/files", (302, "", headers))
        with pytest.raises(RejectedError, match="redirects to"):
            await of_service("together").upload(submission_of(tmp_path, upload=None))
    assert storage.received == []


async def test_a_file_that_was_not_processed_is_put_there_again(
    service: FakeService, storage: FakeService, of_service: Any, tmp_path: Path
) -> None:
    """A kill between the storage and the processing leaves it like that."""
    submission = submission_of(tmp_path, upload=None, attempt=2)
    left = {"id": "file-8", "filename": "batchd-01key-1.jsonl", "bytes": submission.size, "Processed": False}
    service.on("GET", "/files", {"data": [left]}).on("DELETE", "/files/file-8", {})
    service.on("POST", "/files", signed(storage)).on("POST", "/files/file-9/preprocess", {"id": "file-9"})
    assert await of_service("together").upload(submission) == "file-9"
    assert service.count("DELETE", "/files/file-8") == 1
    service.on("GET", "/files", {"data": [{**left, "Processed": True}]})


async def test_together_wraps_a_new_batch_and_lists_all_at_once(
    service: FakeService, of_service: Any, tmp_path: Path
) -> None:
    provider = of_service("together")
    together = {"id": "b-1", "status": "COMPLETED", "progress": 100.0, "input_file_id": "file-1",
                "output_file_id": "file-out", "created_at": "2026-11-24T10:00:00Z"}  # fmt: skip
    service.on("POST", "/batches", {"job": {**together, "status": "VALIDATING"}, "warning": "it may take long"})
    service.on("GET", "/batches", [together, {**together, "id": "b-0", "input_file_id": "file-0"}])
    service.on("GET", "/batches/b-1", together)
    assert await provider.submit(submission_of(tmp_path)) == "b-1"
    assert await provider.find(submission_of(tmp_path)) == ["b-1"]
    assert (await provider.poll(RemoteBatch("b-1", "01key", {}))).phase is BatchPhase.COMPLETED


# --- others --------------------------------------------------------------------------------------------------------


async def test_siliconflow_wraps_everything_in_data(service: FakeService, of_service: Any, tmp_path: Path) -> None:
    def wrapped(inner: Any) -> Any:
        return {"code": 20000, "message": "Ok", "status": True, "data": inner}

    provider = of_service("siliconflow")
    service.on("POST", "/files", wrapped({"id": "file-1", "bytes": 8509, "createdAt": 1741685396}))
    service.on("POST", "/batches", wrapped(batch("b-1", "in_queue")))
    done = batch("b-1", output_file_id="file-out", request_counts={"total": 1, "completed": 1, "failed": 0})
    service.on("GET", "/batches/b-1", wrapped(done)).on("GET", "/batches", wrapped({"data": [done], "has_more": False}))
    assert await provider.upload(submission_of(tmp_path, upload=None)) == "file-1"
    assert await provider.submit(submission_of(tmp_path)) == "b-1"
    assert await provider.find(submission_of(tmp_path)) == ["b-1"]
    assert (await provider.poll(RemoteBatch("b-1", "01key", {}))).details["output_file_id"] == "file-out"


async def test_novita_writes_capitals_and_empty_objects(service: FakeService, of_service: Any) -> None:
    record = {
        "id": "b-1", "status": "COMPLETED", "input_file_id": "f", "output_file_id": "file-out", "error_file_id": "",
        "errors": "", "created_at": "2026-11-24T10:00:00Z", "completed_at": {}, "expired_at": {}, "metadata": {},
        "total": 3, "completed": 3, "failed": 0, "request_counts": {"total": 3, "completed": 3, "failed": 0},
    }  # fmt: skip
    service.on("GET", "/batches/b-1", record).on("GET", "/files/file-out", 404)
    status = await of_service("novita").poll(RemoteBatch("b-1", "01key", {}))
    assert (status.phase, status.total, status.problems, status.answers_until) == (BatchPhase.COMPLETED, 3, (), None)


async def test_perplexity_gives_back_the_first_batch_of_a_key(
    service: FakeService, connect: Connect, tmp_path: Path
) -> None:
    made: dict[str, str] = {}

    async def create(request: Any) -> Any:
        from aiohttp import web

        key = request.headers["Idempotency-Key"]
        known = key in made
        made.setdefault(key, f"batch_{len(made)}")
        # The first answer is lost on its way.
        return web.json_response(batch(made[key])) if known else web.Response(status=502)

    service.on("POST", "/batches", create)
    provider = connect()
    with pytest.raises(TransientError):
        await provider.submit(submission_of(tmp_path))
    assert await provider.submit(submission_of(tmp_path)) == "batch_0"
    assert len(made) == 1


async def test_zhipus_version_is_part_of_the_endpoint(service: FakeService, of_service: Any, tmp_path: Path) -> None:
    provider = of_service("zhipu")
    service.on("POST", "/chat/completions", {"choices": []}).on("POST", "/batches", batch())
    await provider.answer(LiveCall("j-1", b"{}", "/v4/chat/completions", "j-1"))
    await provider.submit(submission_of(tmp_path, endpoint="/v4/chat/completions"))
    [created] = service.calls("POST", "/batches")
    # The input file stays, so that the batch can be created from it again.
    assert (created.json["endpoint"], created.json["auto_delete_input_file"]) == ("/v4/chat/completions", False)


async def test_litellm_is_told_the_model_with_the_upload(service: FakeService, of_service: Any, tmp_path: Path) -> None:
    service.on("POST", "/files", {"id": "bGl0ZWxsbV9wcm94eTphcHBsaWNhdGlvbi9vY3RldC1zdHJlYW0" * 4})
    await of_service("litellm").upload(submission_of(tmp_path, upload=None, model="gpt-4o-mini"))
    [sent] = service.calls("POST", "/files")
    assert sent.headers["x-litellm-model"] == "gpt-4o-mini"
    await of_service("groq").upload(submission_of(tmp_path, upload=None))
    assert "x-litellm-model" not in service.calls("POST", "/files")[1].headers


async def test_groqs_498_is_no_refusal(service: FakeService, of_service: Any, tmp_path: Path) -> None:
    busy = (498, {"error": {"message": "at capacity", "type": "capacity_exceeded"}})
    service.on("POST", "/batches", busy)
    with pytest.raises(TransientError):
        await of_service("groq").submit(submission_of(tmp_path))
    line = read_output_line(answer_line(1).replace(b"200", b"498"))
    assert line is not None
    assert getattr(line.outcome, "transient", False), line


async def test_a_server_without_a_key_is_called(service: FakeService, connect: Connect) -> None:
    service.on("POST", "/chat/completions", {"choices": []}).on("GET", "/models", {"data": [{"id": "m"}]})
    provider = connect(api_key="none")
    await provider.answer(LiveCall("j-1", b"{}", "/v1/chat/completions", "j-1"))
    assert await provider.check(["m"]) == []
    assert {call.headers["Authorization"] for call in service.received} == {"Bearer none"}
    service.on("POST", "/chat/completions", 401)
    with pytest.raises(RejectedError, match='refused the key from api_key, which is "none"'):
        await connect(api_key="none").answer(LiveCall("j-1", b"{}", "/v1/chat/completions", "j-1"))


# --- found in a list of all quirks that are known ------------------------------------------------------------------


async def test_groq_fills_errors_of_a_batch_that_is_complete(service: FakeService, of_service: Any) -> None:
    errors = [{"code": "invalid_method", "message": "Invalid value: 'GET'.", "line": 2}]
    done = batch(output_file_id="file-out", errors=errors, request_counts={"total": 2, "completed": 1, "failed": 1})
    service.on("GET", "/batches/b-1", done)
    status = await of_service("groq").poll(RemoteBatch("b-1", "01key", {}))
    assert (status.phase, status.completed, len(status.problems)) == (BatchPhase.COMPLETED, 1, 1)
    assert status.details["output_file_id"] == "file-out", "its answers are fetched all the same"


async def test_an_output_file_may_be_there_before_the_end(service: FakeService, provider: OpenAIProvider) -> None:
    """llama-stack names it while the batch runs."""
    service.on("GET", "/batches/b-1", batch("b-1", "in_progress", output_file_id="file-out"))
    assert (await provider.poll(RemoteBatch("b-1", "01key", {}))).phase is BatchPhase.IN_PROGRESS


async def test_litellms_list_may_be_old_and_its_counts_nought(
    service: FakeService, of_service: Any, tmp_path: Path
) -> None:
    provider = of_service("litellm")
    service.on("GET", "/batches", {"data": [batch("b-1", "validating")], "has_more": False})
    counts = {"total": 0, "completed": 0, "failed": 0}
    service.on("GET", "/batches/b-1", batch("b-1", "completed", output_file_id="file-out", request_counts=counts))
    assert await provider.find(submission_of(tmp_path)) == ["b-1"]
    status = await provider.poll(RemoteBatch("b-1", "01key", {}))
    assert (status.phase, status.details["output_file_id"]) == (BatchPhase.COMPLETED, "file-out")


async def test_failed_may_mean_that_every_request_failed(service: FakeService, provider: OpenAIProvider) -> None:
    """doubleword: the reasons stand in its files, as those of a batch that is complete."""
    service.on("GET", "/batches/b-1", batch("b-1", "failed", error_file_id="file-e"))
    status = await provider.poll(RemoteBatch("b-1", "01key", {}))
    assert (status.phase, status.details["error_file_id"]) == (BatchPhase.FAILED, "file-e")


@pytest.mark.parametrize(
    "error", ['"too long"', '{"message":"too long","code":400}', '{"object":"error","message":"too long"}']
)
def test_vllms_lines_have_an_error_and_no_body(error: str) -> None:
    line = '{"id":"vllm-1","custom_id":"j-1","response":{"status_code":400,"request_id":"r","body":null},"error":%s}'
    result = read_output_line((line % error).encode())
    assert isinstance(result, Result)
    assert isinstance(result.outcome, Failure)
    assert ("too long" in result.outcome.message, result.outcome.transient) == (True, False)


async def test_azures_endpoints_may_have_no_version(service: FakeService, of_service: Any, tmp_path: Path) -> None:
    provider = of_service("azure")
    service.on("POST", "/chat/completions", {"choices": []}).on("POST", "/batches", batch())
    await provider.answer(LiveCall("j-1", b"{}", "/chat/completions", "j-1"))
    await provider.submit(submission_of(tmp_path, endpoint="/chat/completions"))
    assert service.calls("POST", "/batches")[0].json["endpoint"] == "/chat/completions"


def test_the_tables_say_what_headers_and_lanes_mean() -> None:
    services = Catalogue.load().service
    assert services("groq")["provider"]["limit_headers"]["x-ratelimit-limit-requests"] == "requests a day"
    lanes = {
        name: {lane["name"]: lane["discount"] for lane in services(name)["lanes"]} for name in ("openai", "deepseek")
    }
    assert lanes["openai"]["flex"] == lanes["deepseek"]["off-peak"] == 0.5
