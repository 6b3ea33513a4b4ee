"""The endpoints as the real client sees them, without faults."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from sandbox_kit import LABELS, Running, as_jsonl, counts_of, errors_of, request_line, request_lines, running, until

pytestmark = pytest.mark.slow


async def test_a_batch_is_answered_line_by_line(sandbox: Running) -> None:
    batch = await sandbox.run(request_lines(3), metadata={"job": "may"})
    assert batch.status == "completed"
    assert batch.metadata == {"job": "may"}
    assert batch.model == "sandbox-small"
    assert batch.error_file_id is None
    assert batch.errors is None
    assert counts_of(batch) == (3, 3, 0)
    assert batch.in_progress_at is not None
    assert batch.completed_at is not None
    assert batch.cancelled_at is None
    content = await sandbox.content(batch.output_file_id)
    assert content.endswith(b"\n")
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["custom_id"] for line in lines] == ["row-1", "row-2", "row-3"]
    line = lines[0]
    assert set(line) == {"id", "custom_id", "response", "error"}
    assert line["id"].startswith("batch_req_")
    assert line["error"] is None
    assert line["response"]["status_code"] == 200
    assert line["response"]["request_id"]
    completion = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"], strict=True)
    assert completion.choices[0].message.content == "positive|on-time|not mentioned"
    assert completion.choices[0].finish_reason == "stop"
    assert batch.usage is not None
    assert batch.usage.total_tokens == sum(line["response"]["body"]["usage"]["total_tokens"] for line in lines)


async def test_the_ledger_has_what_was_paid(sandbox: Running) -> None:
    first = await sandbox.run(request_lines(3))
    file_id = await sandbox.upload(as_jsonl(request_lines(2)))
    second = await sandbox.finished((await sandbox.create(file_id)).id)
    await sandbox.client.files.delete(file_id)
    ledger = await sandbox.ledger()
    assert ledger["create_calls"] == ledger["upload_calls"] == 2
    assert [batch["id"] for batch in ledger["batches"]] == [first.id, second.id]
    assert [batch["executed"] for batch in ledger["batches"]] == [3, 2]
    assert ledger["batches"][1]["input_file_id"] == file_id
    assert ledger["requests_executed"] == 5
    assert ledger["distinct"] == 3
    assert ledger["executed_twice"] == ["row-1", "row-2"]
    assert [upload["deleted"] for upload in ledger["uploads"]] == [False, True]
    assert ledger["tokens"]["cached"] == 0
    assert ledger["tokens"]["input"] == first.usage.input_tokens + second.usage.input_tokens  # type: ignore[union-attr]
    assert ledger["batches_to_come"] == 0


async def test_progress_is_seen_and_lines_come_shuffled(tmp_path: Path) -> None:
    # So long that each state is seen though the machine is busy.
    async with running(tmp_path, latency=2.0) as sandbox:
        batch = await sandbox.create(await sandbox.upload(as_jsonl(request_lines(40))))
        assert batch.status == "validating"
        seen: list[str] = []
        completed: list[int] = []
        paid: list[int] = []

        async def watched() -> bool:
            now = await sandbox.client.batches.retrieve(batch.id)
            if now.status not in seen:
                seen.append(now.status)
            if now.status == "in_progress":
                total, answered, _ = counts_of(now)
                completed.append(answered)
                assert total == 40
                assert now.output_file_id is None
                ledger = await sandbox.ledger()
                assert completed[-1] <= ledger["requests_executed"] == ledger["distinct"] <= 40
                paid.append(ledger["distinct"])
            return now.status == "completed"

        await until(watched)
        assert seen == ["validating", "in_progress", "finalizing", "completed"]
        assert paid[0] < 40
        assert completed == sorted(completed)
        assert len(set(completed)) > 3
        output, _ = await sandbox.results(await sandbox.client.batches.retrieve(batch.id))
        assert sorted(output) == sorted(line["custom_id"] for line in request_lines(40))
        assert list(output) != [line["custom_id"] for line in request_lines(40)]


async def test_files_are_listed_by_page_and_kept_byte_for_byte(sandbox: Running) -> None:
    content = "{}\nđủ dấu\r\n".encode() * 50_000
    ids = [await sandbox.upload(content, name=f"{number}.jsonl") for number in range(3)]
    assert await sandbox.content(ids[0]) == content
    file = await sandbox.client.files.retrieve(ids[0])
    assert (file.bytes, file.filename, file.purpose, file.status) == (len(content), "0.jsonl", "batch", "processed")
    page = await sandbox.client.files.list(limit=2, purpose="batch")
    assert [one.id for one in page.data] == [ids[2], ids[1]]
    assert page.has_more
    assert [one.id async for one in page] == ids[::-1]
    assert [one.id async for one in sandbox.client.files.list(limit=2, order="asc")] == ids
    assert (await sandbox.client.files.list(purpose="vision")).data == []


async def test_a_deleted_file_is_gone(sandbox: Running) -> None:
    file_id = await sandbox.upload(b"{}\n")
    assert (await sandbox.client.files.delete(file_id)).deleted
    for call in (sandbox.client.files.retrieve, sandbox.client.files.content, sandbox.client.files.delete):
        with pytest.raises(openai.NotFoundError, match="No such File object"):
            await call(file_id)
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        await sandbox.create(file_id)


async def test_an_input_may_be_deleted_while_the_batch_runs(tmp_path: Path) -> None:
    async with running(tmp_path, latency=0.3) as sandbox:
        file_id = await sandbox.upload(as_jsonl(request_lines(4)))
        batch = await sandbox.create(file_id)
        await sandbox.client.files.delete(file_id)
        assert (await sandbox.finished(batch.id)).status == "completed"
        assert not (tmp_path / "files" / file_id).exists()


async def test_a_download_can_be_resumed(sandbox: Running) -> None:
    content = bytes(range(256)) * 100
    file_id = await sandbox.upload(content)
    answer = await sandbox.client.files.with_raw_response.content(file_id, extra_headers={"Range": "bytes=1000-"})
    assert answer.http_response.status_code == 206
    assert answer.headers["content-range"] == f"bytes 1000-25599/{len(content)}"
    assert answer.content == content[1000:]
    whole = await sandbox.client.files.with_raw_response.content(file_id)
    assert whole.headers["content-length"] == str(len(content))
    calls = (await sandbox.ledger())["calls"]
    assert (calls["content"], calls["content-resumed"]) == (2, 1)


@pytest.mark.parametrize(
    ("name", "purpose", "words"),
    [
        ("rows.txt", "batch", "Invalid file format for Batch API. Must be .jsonl"),
        ("rows.jsonl", "nonsense", "Supported values are"),
    ],
)
async def test_a_refused_upload_has_a_message(sandbox: Running, name: str, purpose: Any, words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words):
        await sandbox.client.files.create(file=(name, io.BytesIO(b"{}")), purpose=purpose)
    assert (await sandbox.ledger())["uploads"] == []
    assert (await sandbox.ledger())["upload_calls"] == 1


async def test_an_upload_is_accepted_in_any_order_of_the_form(sandbox: Running) -> None:
    with aiohttp.MultipartWriter("form-data") as form:
        form.append(b"{}\n").set_content_disposition("form-data", name="file", filename="a.jsonl")
        form.append("batch").set_content_disposition("form-data", name="purpose")
    async with sandbox.session.post(f"{sandbox.url}/files", data=form) as answer:
        assert (await answer.json())["bytes"] == 3


async def test_an_upload_may_set_its_expiry(sandbox: Running) -> None:
    file = await sandbox.client.files.create(
        file=("a.jsonl", io.BytesIO(b"{}")), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert file.expires_at == file.created_at + 3600


@pytest.mark.parametrize(
    ("changes", "error", "param", "code"),
    [
        ({"completion_window": "48h"}, openai.BadRequestError, "completion_window", "invalid_value"),
        ({"endpoint": "/v1/moderations"}, openai.BadRequestError, "endpoint", "invalid_value"),
        ({"endpoint": None}, openai.BadRequestError, "endpoint", "missing_required_parameter"),
        ({"input_file_id": "file-none"}, openai.NotFoundError, "id", None),
        (
            {"metadata": {f"key{number}": "x" for number in range(17)}},
            openai.BadRequestError, "metadata", "object_above_max_properties",
        ),
        ({"metadata": {"k" * 65: "x"}}, openai.BadRequestError, "metadata", "string_above_max_length"),
        ({"metadata": {"key": "x" * 513}}, openai.BadRequestError, "metadata", "string_above_max_length"),
        ({"metadata": {"key": 7}}, openai.BadRequestError, "metadata.key", "invalid_type"),
    ],
)  # fmt: skip
async def test_a_refused_batch_has_a_message(
    sandbox: Running, changes: dict[str, Any], error: type[openai.APIStatusError], param: str, code: str | None
) -> None:
    fields = {
        "input_file_id": await sandbox.upload(as_jsonl(request_lines(1))),
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    with pytest.raises(error) as refused:
        await sandbox.client.batches.create(**(fields | changes))
    assert (refused.value.param, refused.value.code) == (param, code)
    assert (await sandbox.ledger())["batches"] == []


async def test_a_file_of_another_purpose_makes_no_batch(sandbox: Running) -> None:
    file = await sandbox.client.files.create(file=("a.jsonl", io.BytesIO(b"{}")), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        await sandbox.create(file.id)


def _without(line: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in names}


_GOOD, _OTHER = request_line("a"), request_line("b")


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (as_jsonl([_GOOD]) + b"{broken\n", "invalid_json_line", 2),
        (b"\xef\xbb\xbf" + as_jsonl([_GOOD]), "invalid_json_line", 1),
        (as_jsonl([_GOOD]) + b'"text"\n', "invalid_json_line", 2),
        (as_jsonl([_GOOD, _OTHER, _GOOD]), "duplicate_custom_id", 3),
        (as_jsonl([_GOOD, request_line("b", model="sandbox-large")]), "mismatched_model", 2),
        (as_jsonl([_GOOD, _without(_OTHER, "method")]), "missing_required_parameter", 2),
        (as_jsonl([_GOOD, _without(_OTHER, "custom_id")]), "missing_required_parameter", 2),
        (as_jsonl([_GOOD, _OTHER | {"custom_id": ""}]), "missing_required_parameter", 2),
        (as_jsonl([_GOOD, _OTHER | {"body": _without(_OTHER["body"], "model")}]), "missing_required_parameter", 2),
        (as_jsonl([_GOOD, _without(_OTHER, "body")]), "missing_required_parameter", 2),
        (as_jsonl([_OTHER | {"url": "/v1/embeddings"}]), "invalid_url", 1),
        (as_jsonl([_OTHER | {"method": "GET"}]), "invalid_method", 1),
        (as_jsonl([request_line("a", stream=True)]), "streaming_unsupported", 1),
        (b"", "empty_file", None),
        (b"\n\n", "empty_file", None),
    ],
)
async def test_validation_names_the_line(sandbox: Running, content: bytes, code: str, line: int | None) -> None:
    batch = await sandbox.run(content)
    assert batch.status == "failed"
    assert batch.failed_at is not None
    assert batch.errors is not None
    assert batch.errors.object == "list"
    assert errors_of(batch) == [(code, line)]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert counts_of(batch) == (0, 0, 0)
    assert (await sandbox.ledger())["requests_executed"] == 0


async def test_validation_names_every_bad_line(sandbox: Running) -> None:
    batch = await sandbox.run(b"{\n" + as_jsonl([_GOOD]) + b"[\n" + as_jsonl([_GOOD]))
    assert errors_of(batch) == [
        ("invalid_json_line", 1),
        ("invalid_json_line", 3),
        ("duplicate_custom_id", 4),
    ]


async def test_limits_of_a_batch(tmp_path: Path) -> None:
    lines = as_jsonl(request_lines(3))
    async with running(tmp_path, max_requests=2, max_bytes=len(lines)) as sandbox:
        assert (await sandbox.run(request_lines(2))).status == "completed"
        many = await sandbox.run(lines)
        large = await sandbox.run(request_lines(4))
    assert many.status == large.status == "failed"
    assert errors_of(many) == [("too_many_tasks", None)]
    assert large.errors is not None
    assert "larger than the" in str((large.errors.data or [])[0].message)
    assert "sandbox-small" in str((large.errors.data or [])[0].message)


async def test_enqueued_tokens_are_limited_over_all_batches_of_a_model(tmp_path: Path) -> None:
    async with running(tmp_path, latency=1.0, max_enqueued_tokens=150) as sandbox:
        file_id = await sandbox.upload(as_jsonl(request_lines(3)))
        other = await sandbox.upload(as_jsonl(request_lines(3, model="sandbox-large")))
        first = await sandbox.create(file_id)

        async def under_way() -> bool:
            return (await sandbox.client.batches.retrieve(first.id)).status == "in_progress"

        await until(under_way)
        second = await sandbox.create(file_id)
        third = await sandbox.create(other)
        refused = await sandbox.finished(second.id)
        assert refused.status == "failed"
        assert refused.errors is not None
        (error,) = refused.errors.data or ()
        assert error.code == "token_limit_exceeded"
        assert error.line is None
        assert "Enqueued token limit reached for sandbox-small" in str(error.message)
        assert "Limit: 150 enqueued tokens." in str(error.message)
        assert (await sandbox.finished(first.id)).status == "completed"
        assert (await sandbox.finished(third.id)).status == "completed"
        assert (await sandbox.finished((await sandbox.create(file_id)).id)).status == "completed"


async def test_a_bad_body_fails_its_line_alone(sandbox: Running) -> None:
    lines = [
        request_line("good"),
        request_line("no-messages") | {"body": {"model": "sandbox-small"}},
        request_line("zero", max_tokens=0),
        request_line("negative", max_tokens=-1),
        request_line("hot", temperature=9),
        request_line("typed", max_tokens="many"),
        request_line("long", text="word " * 110_000),
    ]
    batch = await sandbox.run(lines)
    assert batch.status == "completed"
    assert counts_of(batch) == (7, 1, 6)
    output, errors = await sandbox.results(batch)
    assert list(output) == ["good"]
    assert {line["response"]["status_code"] for line in errors.values()} == {400}
    assert {line["error"] for line in errors.values()} == {None}
    problems = {name: line["response"]["body"]["error"] for name, line in errors.items()}
    assert problems["no-messages"]["param"] == "messages"
    assert problems["no-messages"]["code"] == "missing_required_parameter"
    assert problems["zero"]["code"] == "integer_below_min_value"
    assert problems["negative"]["message"].endswith("but got -1 instead.")
    assert problems["hot"]["param"] == "temperature"
    assert problems["typed"]["param"] == "max_tokens"
    assert problems["long"]["code"] == "context_length_exceeded"
    assert (await sandbox.ledger())["requests_executed"] == 1


async def test_batches_are_listed_newest_first_by_page(sandbox: Running) -> None:
    file_id = await sandbox.upload(as_jsonl(request_lines(1)))
    ids = [(await sandbox.create(file_id)).id for _ in range(5)]
    page = await sandbox.client.batches.list(limit=2)
    assert [one.id for one in page.data] == [ids[4], ids[3]]
    async with sandbox.session.get(f"{sandbox.url}/batches?limit=2&after={ids[3]}") as answer:
        raw = await answer.json()
    assert (raw["object"], raw["first_id"], raw["last_id"], raw["has_more"]) == ("list", ids[2], ids[1], True)
    assert [one.id async for one in page] == ids[::-1]
    with pytest.raises(openai.BadRequestError, match="limit"):
        await sandbox.client.batches.list(limit=101)
    with pytest.raises(openai.NotFoundError) as unknown:
        await sandbox.client.batches.retrieve("batch_unknown")
    assert unknown.value.code == "batch_not_found"


async def test_cancelling_keeps_what_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path, latency=1.5) as sandbox:
        batch = await sandbox.create(await sandbox.upload(as_jsonl(request_lines(50))))

        async def some_are_answered() -> bool:
            now = await sandbox.client.batches.retrieve(batch.id)
            return counts_of(now)[1] >= 10

        await until(some_are_answered)
        assert (await sandbox.client.batches.cancel(batch.id)).status == "cancelling"
        assert (await sandbox.client.batches.cancel(batch.id)).status == "cancelling"
        cancelled = await sandbox.finished(batch.id)
        assert cancelled.status == "cancelled"
        assert cancelled.cancelling_at is not None
        output, errors = await sandbox.results(cancelled)
        assert 10 <= len(output) < 50
        assert len(output) == counts_of(cancelled)[1]
        assert len(output) + len(errors) == 50
        assert {line["error"]["code"] for line in errors.values()} == {"batch_cancelled"}
        ledger = await sandbox.ledger()
        assert ledger["requests_executed"] == ledger["distinct"] == len(output)
        assert (await sandbox.client.batches.cancel(batch.id)).status == "cancelled"


async def test_a_finished_batch_cannot_be_cancelled(sandbox: Running) -> None:
    batch = await sandbox.run(request_lines(1))
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'completed'"):
        await sandbox.client.batches.cancel(batch.id)


async def test_the_models_that_are_listed(tmp_path: Path) -> None:
    async with running(tmp_path, models=("one", "two"), any_model=False) as sandbox:
        assert [model.id async for model in sandbox.client.models.list()] == ["one", "two"]
        assert (await sandbox.client.models.retrieve("two")).id == "two"
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await sandbox.client.models.retrieve("three")
        with pytest.raises(openai.NotFoundError) as refused:
            await sandbox.client.chat.completions.create(model="three", messages=[{"role": "user", "content": "hi"}])
        assert refused.value.code == "model_not_found"
        batch = await sandbox.run(request_lines(2))
        assert errors_of(batch) == [("model_not_found", 1), ("model_not_found", 2)]
        assert (await sandbox.run(request_lines(1, model="one"))).status == "completed"


async def test_chat_answers_at_once_and_is_counted(sandbox: Running) -> None:
    for text in ("Broke after a day.", "Broke after a day.", "Lovely."):
        answer = await sandbox.client.chat.completions.create(
            model="m", messages=[{"role": "system", "content": LABELS}, {"role": "user", "content": text}]
        )
        assert answer.choices[0].message.content in (
            "negative|not mentioned|bad",
            "positive|not mentioned|not mentioned",
        )
    live = (await sandbox.ledger())["live"]
    assert (live["answers"], live["distinct"], live["repeated"]) == (3, 2, 1)
    assert live["input_tokens"] > live["output_tokens"] > 0
    with pytest.raises(openai.BadRequestError, match="does not stream"):
        await sandbox.client.chat.completions.create(model="m", messages=[], stream=True)
    async with sandbox.session.post(f"{sandbox.url}/chat/completions", data=b"{") as refused:
        assert refused.status == 400


async def test_responses_and_embeddings(sandbox: Running) -> None:
    answer = await sandbox.client.responses.create(model="m", instructions=LABELS, input="Chất lượng tốt, giao nhanh")
    assert answer.output_text == "positive|on-time|not mentioned"
    assert answer.usage is not None
    cut = await sandbox.client.responses.create(model="m", input="one two three four five", max_output_tokens=2)
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    for limit in (0, -1):
        with pytest.raises(openai.BadRequestError) as refused:
            await sandbox.client.responses.create(model="m", input="one two", max_output_tokens=limit)
        assert (refused.value.code, refused.value.param) == ("integer_below_min_value", "max_output_tokens")
    embeddings = await sandbox.client.embeddings.create(model="m", input=["a", "b", "a"], dimensions=8)
    assert [len(one.embedding) for one in embeddings.data] == [8, 8, 8]
    assert embeddings.data[0].embedding == embeddings.data[2].embedding != embeddings.data[1].embedding


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/responses", {"model": "m", "input": "hello"}),
        ("/v1/embeddings", {"model": "m", "input": "hello"}),
    ],
)
async def test_batches_of_the_other_endpoints(sandbox: Running, endpoint: Any, body: dict[str, Any]) -> None:
    line = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    batch = await sandbox.run([line], endpoint=endpoint)
    assert batch.status == "completed"
    output, _ = await sandbox.results(batch)
    assert output["a"]["response"]["body"]["object"] in ("response", "list")


async def test_keys(tmp_path: Path) -> None:
    async with running(tmp_path, api_keys=("sk-right-key-1234",), api_key="sk-wrong-key-5678") as sandbox:
        with pytest.raises(openai.AuthenticationError) as refused:
            await sandbox.client.models.list()
        assert refused.value.code == "invalid_api_key"
        assert "wrong-key" not in str(refused.value)
        right = sandbox.client.with_options(api_key="sk-right-key-1234")
        assert (await right.models.list()).data
        async with sandbox.session.get(f"{sandbox.url}/models") as nobody:
            assert nobody.status == 401


async def test_an_unknown_address_is_answered_as_json(sandbox: Running) -> None:
    async with sandbox.session.get(f"{sandbox.url}/fine_tuning/jobs") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "unknown_url"
    async with sandbox.session.put(f"{sandbox.url}/batches") as answer:
        assert answer.status == 405
        assert (await answer.json())["error"]["code"] == "method_not_allowed"


async def test_every_answer_names_its_request(sandbox: Running) -> None:
    answer = await sandbox.client.models.with_raw_response.list()
    assert answer.headers["x-request-id"].startswith("req_")
