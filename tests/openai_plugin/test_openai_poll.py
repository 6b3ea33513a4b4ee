"""The state of a batch in one set of terms, whatever the service; and cancelling it."""

from __future__ import annotations

from typing import Any

import pytest
from openai_support import KEY, FakeService, batch, named, remote

from batchd import (
    BatchPhase,
    Problem,
    ProviderError,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    TransientError,
    Usage,
    read_problems,
)
from batchd_openai.normalise import status_of, unwrap
from batchd_openai.provider import OpenAIProvider


async def test_openais_own_format(service: FakeService, provider: OpenAIProvider) -> None:
    record = batch(
        status="completed",
        output_file_id="file-o",
        error_file_id="file-e",
        errors=None,
        request_counts={"total": 100, "completed": 95, "failed": 5},
        usage={"input_tokens": 7, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 3, "total_tokens": 10},
    )
    service.on("GET", "/batches/batch_1", record)
    status = await provider.poll(remote())
    assert status.phase is BatchPhase.COMPLETED
    assert (status.total, status.completed, status.failed) == (100, 95, 5)
    assert status.usage == Usage(7, 2, 3)
    assert status.problems == ()
    assert status.details == {"output_file_id": "file-o", "error_file_id": "file-e"}


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        *((phase.value, phase) for phase in BatchPhase),
        ("COMPLETED", BatchPhase.COMPLETED),
        ("Completed", BatchPhase.COMPLETED),
        ("canceled", BatchPhase.CANCELLED),
        ("CANCELING", BatchPhase.CANCELLING),
        ("progress", BatchPhase.IN_PROGRESS),
        ("In Progress", BatchPhase.IN_PROGRESS),
        ("in-progress", BatchPhase.IN_PROGRESS),
        ("queued", BatchPhase.VALIDATING),
        ("JOB_STATE_SUCCEEDED", BatchPhase.COMPLETED),
        ("BATCH_STATE_RUNNING", BatchPhase.IN_PROGRESS),
        ("notStarted", BatchPhase.VALIDATING),
        ("SUCCESS", BatchPhase.COMPLETED),
        ("done", BatchPhase.COMPLETED),
        ("completed with errors", BatchPhase.COMPLETED),
        ("errored", BatchPhase.FAILED),
        ("TIMEOUT_EXCEEDED", BatchPhase.EXPIRED),
    ],
)
def test_spellings_of_a_state(word: str, phase: BatchPhase) -> None:
    status = status_of(batch(status=word))
    assert status.phase is phase
    assert "unknown_status" not in status.details


def test_an_unknown_state_is_not_the_end() -> None:
    status = status_of(batch(status="PAUSED_FOR_REVIEW"))
    assert status.phase is BatchPhase.IN_PROGRESS
    assert status.details["unknown_status"] == "PAUSED_FOR_REVIEW"


def test_azures_empty_ids_and_counts_are_none() -> None:
    counts = {"total": None, "completed": None, "failed": None}
    status = status_of(
        batch("b", "validating", output_file_id="", error_file_id="", endpoint=None, request_counts=counts)
    )
    assert status.details == {"output_file_id": None, "error_file_id": None}
    assert (status.total, status.completed, status.failed) == (0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"request_counts": {"total": 3, "completed": 2, "failed": 1}}, (3, 2, 1)),
        ({"request_counts": None}, (0, 0, 0)),
        ({"request_counts": 12}, (12, 0, 0)),
        ({"total": 3, "completed": 2, "failed": 1}, (3, 2, 1)),
        ({"total_requests": "3", "completed_requests": "2"}, (3, 2, 0)),
        ({"request_counts": {"total": -1, "completed": float("nan"), "failed": True}}, (0, 0, 0)),
        ({}, (0, 0, 0)),
    ],
)
def test_counts_in_any_shape(fields: dict[str, Any], counts: tuple[int, int, int]) -> None:
    status = status_of(batch(**fields))
    assert (status.total, status.completed, status.failed) == counts


@pytest.mark.parametrize(
    ("errors", "problems"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ({}, ()),
        ({"object": "list", "data": None}, ()),
        ({"message": "With data.", "data": None}, (Problem("error", "With data."),)),
        ({"object": "list", "data": []}, ()),
        (
            {
                "object": "list",
                "data": [{"code": "empty_file", "message": "It is empty.", "param": None, "line": None}],
            },
            (Problem("empty_file", "It is empty."),),
        ),
        ([{"code": "invalid_method", "message": "GET", "line": 3}], (Problem("invalid_method", "GET", 3),)),
        ([{"message": "No code.", "line": "4"}], (Problem("error", "No code.", 4),)),
        ({"code": "runner_lost", "message": "Gone."}, (Problem("runner_lost", "Gone."),)),
        ("It broke.", (Problem("error", "It broke."),)),
        (["One.", "Two."], (Problem("error", "One."), Problem("error", "Two."))),
    ],
)
def test_errors_in_any_shape(errors: Any, problems: tuple[Problem, ...]) -> None:
    assert read_problems(errors) == problems


@pytest.mark.parametrize(
    "answer",
    [
        {"job": batch()},
        {"data": batch()},
        {"code": 20000, "status": True, "data": batch()},
        {"data": {"batch": batch()}},
        batch(),
    ],
)
def test_envelopes(answer: Any) -> None:
    assert unwrap(answer) == batch()


async def test_together_whole(service: FakeService, provider: OpenAIProvider) -> None:
    record = {"id": "batch_1", "status": "IN_PROGRESS", "progress": 75.0, "created_at": "2026-11-24T10:00:00Z"}
    service.on("GET", "/batches/batch_1", record)
    status = await provider.poll(remote())
    assert status.phase is BatchPhase.IN_PROGRESS
    assert not status.phase.ended


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}, "some"])
def test_no_usage_is_none(usage: Any) -> None:
    assert status_of(batch(usage=usage)).usage is None


@pytest.mark.parametrize("answer", [404, 410, (200, {"error": {"message": "Batch not found", "code": "x"}})], ids=named)
async def test_a_batch_that_does_not_exist_any_more(
    service: FakeService, provider: OpenAIProvider, answer: Any
) -> None:
    service.on("GET", "/batches/batch_1", answer)
    with pytest.raises(RemoteMissing):
        await provider.poll(remote())
    assert service.count("GET", "/batches/batch_1") == 1


@pytest.mark.parametrize(
    "answer", [(200, {"error": "try later"}), (200, []), (200, "<html/>"), (200, ""), 500], ids=named
)
async def test_an_answer_without_the_batch(service: FakeService, provider: OpenAIProvider, answer: Any) -> None:
    service.on("GET", "/batches/batch_1", answer)
    with pytest.raises(TransientError):
        await provider.poll(remote())


async def test_an_id_with_a_slash_stays_one_path_segment(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/batches/batches%2Fabc", batch())
    status = await provider.poll(RemoteBatch("batches/abc", "k", {}))
    assert status.phase is BatchPhase.COMPLETED


async def test_a_batchs_own_errors_do_not_show_the_key(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/batches/batch_1", batch(errors=[{"code": "x", "message": f"The key {KEY} is old."}]))
    status = await provider.poll(remote())
    assert status.problems[0].message == "The key … is old."


async def test_cancelling(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("POST", "/batches/batch_1/cancel", batch(status="cancelling"))
    await provider.cancel(remote())
    assert service.count("POST", "/batches/batch_1/cancel") == 1


@pytest.mark.parametrize("refusal", [400, 409, 404, 405])
@pytest.mark.parametrize("state", ["completed", "cancelling", "expired", None])
async def test_cancelling_an_ended_batch_is_no_error(
    service: FakeService, provider: OpenAIProvider, refusal: int, state: str | None
) -> None:
    service.on("POST", "/batches/batch_1/cancel", refusal)
    service.on("GET", "/batches/batch_1", batch(status=state) if state else 404)
    await provider.cancel(remote())


@pytest.mark.parametrize(("refusal", "error"), [(400, ProviderError), (404, ProviderError), (401, RejectedError)])
async def test_a_refusal_to_cancel_a_running_batch_is_an_error(
    service: FakeService, provider: OpenAIProvider, refusal: int, error: type[Exception]
) -> None:
    service.on("POST", "/batches/batch_1/cancel", refusal).on("GET", "/batches/batch_1", batch(status="in_progress"))
    with pytest.raises(error):
        await provider.cancel(remote())
