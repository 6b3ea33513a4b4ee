"""Mistral's batch jobs: requests in the create call, outputs in the job or in files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_support import Connect, serving, submission_of
from mistral_service import MistralService
from mistral_service import refused as refusal_of

from batchd import (
    BatchPhase,
    CannotFind,
    Failure,
    NotSent,
    ProviderError,
    RejectedError,
    RemoteBatch,
    Response,
    SubmissionRefused,
    TransientError,
)
from batchd_inline.provider import InlineProvider

pytestmark = pytest.mark.field("services")


@pytest.fixture
async def mistral() -> AsyncIterator[MistralService]:
    """Mistral."""
    service = MistralService()
    async with serving(service):
        yield service


@pytest.fixture
def provider(connect: Connect, mistral: MistralService) -> InlineProvider:
    return connect(mistral, "mistral")


@pytest.mark.parametrize("inline", [True, False], ids=["in the job", "in files"])
async def test_a_job_goes_there_and_back(
    provider: InlineProvider, mistral: MistralService, tmp_path: Path, inline: bool
) -> None:
    mistral.outputs_inline, mistral.failing, mistral.polls = inline, frozenset({"j-1"}), 1
    submission = submission_of(tmp_path)
    remote = RemoteBatch(await provider.submit(submission), submission.key, {})
    created = mistral.batches["job-0"]
    assert (created["model"], created["metadata"]) == ("acme/small", {"batchd_key": "01key"})
    assert [each["custom_id"] for each in created["requests"]] == ["j-0", "j-1", "j-2"]
    assert (await provider.poll(remote)).phase is BatchPhase.IN_PROGRESS
    status = await provider.poll(remote)
    assert (status.phase, status.total, status.completed, status.failed) == (BatchPhase.COMPLETED, 3, 2, 1)
    assert status.answers_until == 1_795_900_100 + 86_400
    assert status.problems == (), "the errors of single rows are none of the job"
    results = {result.custom_id: result.outcome async for result in provider.results(remote)}
    assert set(results) == {"j-0", "j-1", "j-2"}
    first, failed = results["j-0"], results["j-1"]
    assert isinstance(first, Response)
    assert first.text == "About j-0."
    assert isinstance(failed, Failure)
    assert not failed.transient


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("QUEUED", BatchPhase.VALIDATING),
        ("RUNNING", BatchPhase.IN_PROGRESS),
        ("TIMEOUT_EXCEEDED", BatchPhase.EXPIRED),
        ("CANCELLATION_REQUESTED", BatchPhase.CANCELLING),
        ("FAILED", BatchPhase.FAILED),
        ("DREAMING", BatchPhase.IN_PROGRESS),
    ],
)
async def test_each_state_has_its_phase(
    provider: InlineProvider, mistral: MistralService, tmp_path: Path, word: str, phase: BatchPhase
) -> None:
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    mistral.ends_as = word
    status = await provider.poll(remote)
    assert (status.phase, status.details.get("unknown_status")) == (phase, word if word == "DREAMING" else None)


async def test_a_job_that_ran_out_of_time_gives_what_is_ready(
    provider: InlineProvider, mistral: MistralService, tmp_path: Path
) -> None:
    mistral.ends_as, mistral.answered = "TIMEOUT_EXCEEDED", 1
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    assert [result.custom_id async for result in provider.results(remote)] == ["j-0"]


async def test_a_create_of_unknown_outcome_is_found_by_its_metadata(
    provider: InlineProvider, mistral: MistralService, tmp_path: Path
) -> None:
    mistral.polls, mistral.lose_creates = 9, True
    with pytest.raises(TransientError):
        await provider.submit(submission_of(tmp_path))
    # The service lists 100 a page, so ours is on the second.
    for number in range(120):
        other = {"id": f"other-{number}", "status": "RUNNING", "requests": [], "endpoint": "e", "model": "m"}
        mistral.batches[f"other-{number}"] = other
    assert await provider.find(submission_of(tmp_path)) == ["job-0"]
    assert await provider.find(submission_of(tmp_path, key="never")) == []
    mistral.refusals["GET /batch/jobs"].append(refusal_of(400, "No"))
    with pytest.raises(CannotFind):
        await provider.find(submission_of(tmp_path))


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (422, {"detail": [{"loc": ["body", "model"], "msg": "Invalid model"}]}, SubmissionRefused, "body.model: Inv"),
        (400, {"object": "error", "message": "Invalid model: m", "code": "1500"}, SubmissionRefused, "Invalid model"),
        (401, {"detail": "Unauthorized"}, RejectedError, "refused the key"),
        (429, {"message": "Requests rate limit exceeded"}, NotSent, "rate limit"),
        (503, "upstream", TransientError, "upstream"),
    ],
)
async def test_a_refusal_says_why(
    provider: InlineProvider,
    mistral: MistralService,
    tmp_path: Path,
    status: int,
    body: object,
    error: type[Exception],
    words: str,
) -> None:
    mistral.refuse("POST /batch/jobs", status, body)
    with pytest.raises(ProviderError, match=words) as refusal:
        await provider.submit(submission_of(tmp_path))
    assert type(refusal.value) is error
    assert mistral.count("POST /batch/jobs") == 1


async def test_a_job_is_cancelled_once_and_an_ended_one_not_at_all(
    provider: InlineProvider, mistral: MistralService, tmp_path: Path
) -> None:
    mistral.polls = 9
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    await provider.cancel(remote)
    await provider.cancel(remote)
    assert (await provider.poll(remote)).phase is BatchPhase.CANCELLED
    await provider.cancel(RemoteBatch("job-9", "01key", {}))


async def test_a_purge_deletes_the_job_and_its_files(
    provider: InlineProvider, mistral: MistralService, tmp_path: Path
) -> None:
    mistral.outputs_inline, mistral.failing = False, frozenset({"j-1"})
    submission = submission_of(tmp_path)
    remote = await provider.submit(submission)
    status = await provider.poll(RemoteBatch(remote, submission.key, {}))
    purged = await provider.purge(RemoteBatch(remote, submission.key, status.details), submission)
    assert purged.deleted == ["job-0-out", "job-0-err", "job-0"]
    assert (mistral.files, mistral.batches) == ({}, {})


async def test_a_check_passes(provider: InlineProvider) -> None:
    assert await provider.check(["acme/small"]) == []
