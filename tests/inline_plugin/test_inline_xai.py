"""xAI's batches: a file ahead, counts in place of a status, answers in pages."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from inline_support import Connect, serving, submission_of
from xai_service import XAIService

from batchd import (
    BatchPhase,
    Failure,
    ProviderError,
    RemoteBatch,
    RemoteMissing,
    Response,
    Submission,
    SubmissionRefused,
    TransientError,
    read_output_line,
)
from batchd_inline.provider import InlineProvider
from batchd_inline.splitter import Item
from batchd_inline.xai import XAI

pytestmark = pytest.mark.field("services")


@pytest.fixture
async def xai() -> AsyncIterator[XAIService]:
    """xAI."""
    service = XAIService()
    async with serving(service):
        yield service


@pytest.fixture
def provider(connect: Connect, xai: XAIService) -> InlineProvider:
    return connect(xai, "xai")


async def uploaded(provider: InlineProvider, submission: Submission) -> Submission:
    return dataclasses.replace(submission, upload=await provider.upload(submission))


async def test_a_batch_goes_there_and_back(provider: InlineProvider, xai: XAIService, tmp_path: Path) -> None:
    xai.polls, xai.failing, xai.page_size = 1, frozenset({"j-4"}), 4
    submission = await uploaded(provider, submission_of(tmp_path, requests=10))
    assert xai.files["file-0"] == ("batchd-01key-1.jsonl", submission.file.read_bytes())
    remote = RemoteBatch(await provider.submit(submission), submission.key, {})
    assert json.loads(xai.bodies("POST /batches")[0]) == {"name": "batchd-01key-10", "input_file_id": "file-0"}
    assert (await provider.poll(remote)).phase is BatchPhase.IN_PROGRESS
    status = await provider.poll(remote)
    assert (status.phase, status.total, status.completed, status.failed) == (BatchPhase.COMPLETED, 10, 9, 1)
    assert status.answers_until == 1_798_416_000, "when it expires"
    results = {result.custom_id: result.outcome async for result in provider.results(remote)}
    assert list(results) == [f"j-{row}" for row in range(10)]
    assert xai.count("GET /batches/batch_0/results") == 3
    first, failed = results["j-0"], results["j-4"]
    assert isinstance(first, Response)
    assert (first.text, first.body["usage"]["cost"]) == ("About j-0.", 0.00025)
    assert isinstance(failed, Failure)
    assert (failed.code, failed.message, failed.transient) == ("xai_3", "Invalid request.", False)


async def test_a_batch_that_has_not_counted_all_its_requests_has_not_ended(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    xai.counted = 2
    remote = RemoteBatch(await provider.submit(await uploaded(provider, submission_of(tmp_path))), "01key", {})
    phases = [(await provider.poll(remote)).phase for _ in range(3)]
    assert phases == [BatchPhase.IN_PROGRESS, BatchPhase.COMPLETED, BatchPhase.COMPLETED]


async def test_a_file_that_the_service_refuses_fails_the_batch_and_says_why(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    xai.invalid = "JSONL file validation failed: Model acme is not supported for batch processing."
    remote = RemoteBatch(await provider.submit(await uploaded(provider, submission_of(tmp_path))), "01key", {})
    status = await provider.poll(remote)
    assert (status.phase, [each.message for each in status.problems]) == (BatchPhase.FAILED, [xai.invalid])


async def test_a_cancelled_batch_gives_what_is_ready(provider: InlineProvider, xai: XAIService, tmp_path: Path) -> None:
    xai.polls, xai.answered = 5, 1
    remote = RemoteBatch(await provider.submit(await uploaded(provider, submission_of(tmp_path))), "01key", {})
    await provider.cancel(remote)
    assert xai.count("POST /batches/batch_0:cancel") == 1
    assert (await provider.poll(remote)).phase is BatchPhase.CANCELLED
    assert [result.custom_id async for result in provider.results(remote)] == ["j-0"]


async def test_answers_that_are_counted_and_not_on_the_pages_are_waited_for(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    remote = RemoteBatch(await provider.submit(await uploaded(provider, submission_of(tmp_path))), "01key", {})
    xai.refuse("GET /batches/batch_0/results", 200, {"results": [], "pagination_token": None})
    with pytest.raises(RemoteMissing, match="counts 3 answers"):
        _ = [result async for result in provider.results(remote)]


async def test_pages_that_go_round_are_not_read_without_end(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    remote = RemoteBatch(await provider.submit(await uploaded(provider, submission_of(tmp_path))), "01key", {})
    for _ in range(2):
        xai.refuse("GET /batches/batch_0/results", 200, {"results": [], "pagination_token": "7"})
    with pytest.raises(TransientError, match="same page"):
        _ = [result async for result in provider.results(remote)]


async def test_a_create_of_unknown_outcome_is_found_by_its_name(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    xai.page_size = 2
    for key in ("before", "01keyother"):
        await provider.submit(await uploaded(provider, submission_of(tmp_path, key=key)))
    xai.lose_creates = True
    ours = await uploaded(provider, submission_of(tmp_path))
    with pytest.raises(TransientError):
        await provider.submit(ours)
    assert await provider.find(ours) == ["batch_2"]
    assert await provider.find(await uploaded(provider, submission_of(tmp_path, key="never"))) == []


async def test_a_file_that_is_gone_is_missing(provider: InlineProvider, xai: XAIService, tmp_path: Path) -> None:
    with pytest.raises(RemoteMissing, match="File file-9 not found"):
        await provider.submit(submission_of(tmp_path, upload="file-9"))


@pytest.mark.parametrize(
    ("call", "status", "error"),
    [
        ("POST /files", 413, SubmissionRefused),
        ("POST /files", 500, TransientError),
        ("POST /batches", 400, SubmissionRefused),
        ("POST /batches", 503, TransientError),
    ],
)
async def test_a_refusal_is_no_second_call(
    provider: InlineProvider, xai: XAIService, tmp_path: Path, call: str, status: int, error: type[Exception]
) -> None:
    xai.refuse(call, status, {"code": "invalid-argument", "error": "The file is too large."})
    with pytest.raises(ProviderError, match="too large") as refusal:
        await provider.submit(await uploaded(provider, submission_of(tmp_path)))
    assert type(refusal.value) is error
    assert xai.count(call) == 1
    if isinstance(refusal.value, SubmissionRefused):
        assert refusal.value.problems[0].code == "invalid-argument"


async def test_a_purge_deletes_every_upload_and_says_what_stays(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    xai.page_size = 1
    submission = submission_of(tmp_path)
    await provider.upload(submission)
    submission = await uploaded(provider, dataclasses.replace(submission, attempt=2))
    others = await provider.upload(submission_of(tmp_path, key="other"))
    remote = RemoteBatch(await provider.submit(submission), submission.key, {})
    purged = await provider.purge(remote, submission)
    assert list(xai.files) == [others]
    assert (len(purged.deleted), purged.absent) == (2, [])
    assert list(purged.problems) == [f"batch_0: {XAI.kept}"]


async def test_a_purge_that_cannot_look_for_uploads_deletes_the_one_it_knows(
    provider: InlineProvider, xai: XAIService, tmp_path: Path
) -> None:
    submission = await uploaded(provider, dataclasses.replace(submission_of(tmp_path), attempt=2))
    remote = RemoteBatch(await provider.submit(submission), submission.key, {})
    xai.refuse("GET /files", 403, {"code": "forbidden", "error": "Not with this key."})
    purged = await provider.purge(remote, submission)
    assert (list(purged.deleted), xai.files) == ([submission.upload], {})
    assert len(purged.problems) == 2
    assert "uploads of failed tries, if there are any: " in purged.problems[0]
    assert "Not with this key" in purged.problems[0]


@pytest.mark.parametrize(
    ("result", "code", "transient"),
    [
        ({"error": {"code": 13, "message": "Internal."}}, "xai_13", True),
        ({"error": {"code": 1, "message": "Cancelled."}}, "xai_1", True),
        ({"response": {"chat_get_completion": {"error": "Model overloaded.", "code": "overloaded"}}}, "http_200", True),
        ({}, "error", True),
        (None, "error", True),
    ],
)
def test_a_row_without_an_answer_is_asked_again_where_that_may_help(result: Any, code: str, transient: bool) -> None:
    item = json.dumps({"batch_request_id": "j-1", "batch_result": result}).encode()
    line = XAI().line(Item(item, whole=True), "01key")
    assert line is not None
    read = read_output_line(line)
    assert read is not None
    assert isinstance(read.outcome, Failure)
    assert (read.custom_id, read.outcome.code, read.outcome.transient) == ("j-1", code, transient)


def test_an_answer_with_nan_is_still_an_answer() -> None:
    item = b'{"batch_request_id": "j-1", "batch_result": {"response": {"chat_get_completion": {"x": NaN, "choices": [%s]}}}}'
    line = XAI().line(Item(item % b'{"message": {"content": "yes"}}', whole=True), "01key")
    assert line is not None
    read = read_output_line(line)
    assert read is not None
    assert isinstance(read.outcome, Response)
    assert read.outcome.text == "yes"
