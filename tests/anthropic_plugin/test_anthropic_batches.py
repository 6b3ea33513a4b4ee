"""Batches at the service: created once, polled, fetched, cancelled, deleted; and what its refusals become."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic_support import KEY, MODEL, Connect, FakeAnthropic, error

from batchd import (
    BatchdError,
    BatchPhase,
    LiveCall,
    NotSent,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    Submission,
    SubmissionRefused,
    TransientError,
)
from batchd.values import replace
from batchd_anthropic.provider import AnthropicProvider, status_of

CREATE = ("POST", "/v1/messages/batches")
ONE = {"messages": [{"role": "user", "content": "One."}], "max_tokens": 5}
Make = Callable[..., Submission]


@pytest.mark.slow(seconds=5)
async def test_a_batch_is_sent_translated_and_marked_with_its_key(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make
) -> None:
    submission = make_submission(ONE, {**ONE, "stop": "x"})
    assert await provider.upload(submission) is None
    remote = await provider.submit(submission)
    assert service.body(*CREATE) == {
        "requests": [
            {
                "custom_id": f"k3j9x2ab_job00001-{number}",
                "params": {
                    "model": MODEL,
                    "max_tokens": 5,
                    "messages": [{"role": "user", "content": "One."}],
                    **({"stop_sequences": ["x"]} if number else {}),
                },
            }
            for number in (0, 1)
        ]
    }
    headers = service.headers(*CREATE)
    assert (headers["x-api-key"], headers["idempotency-key"]) == (KEY, "k3j9x2ab")
    assert headers["content-length"].isdecimal(), "the body is streamed, and its end is known"
    batch = RemoteBatch(remote, submission.key, {})
    status = await provider.poll(batch)
    assert (status.phase, status.total, status.completed) == (BatchPhase.COMPLETED, 2, 2)
    assert status.answers_until == pytest.approx(time.time() + 29 * 86_400, abs=60)
    answers = io.BytesIO()
    await provider.download(batch, answers)
    lines = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert {line["custom_id"] for line in lines} == {"job00001-0", "job00001-1"}
    assert all(line["response"]["body"]["choices"][0]["message"]["content"] == "re: One." for line in lines)


async def test_requests_that_cannot_be_translated_are_refused_before_anything_is_sent(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make
) -> None:
    submission = make_submission(ONE, {**ONE, "seed": 1}, {**ONE, "max_tokens": 0})
    with pytest.raises(SubmissionRefused) as refused:
        await provider.upload(submission)
    assert [(problem.line, problem.param) for problem in refused.value.problems] == [(2, "seed"), (3, "max_tokens")]
    assert service.calls == []


async def test_another_endpoint_is_refused_in_words(provider: AnthropicProvider, make_submission: Make) -> None:
    with pytest.raises(SubmissionRefused, match="/v1/embeddings, and Anthropic has none") as refused:
        await provider.upload(make_submission(ONE, endpoint="/v1/embeddings"))
    assert refused.value.problems[0].code == "unsupported_endpoint"


async def test_without_the_package_each_call_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, connect: Connect, make_submission: Make
) -> None:
    for name in [each for each in sys.modules if each.startswith(("batchd_anthropic.client", "batchd_anthropic.err"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "anthropic", None)
    provider, submission, batch = connect(), make_submission(ONE), RemoteBatch("msgbatch_1", "k", {})
    call = LiveCall("job-1", b"{}", "/v1/chat/completions", "k")
    asked = (
        provider.upload(submission),
        provider.submit(submission),
        provider.find(submission),
        provider.poll(batch),
        provider.download(batch, io.BytesIO()),
        provider.cancel(batch),
        provider.answer(call),
    )
    for each in asked:
        with pytest.raises(RejectedError, match=r"pip install 'batchd\[anthropic\]'"):
            await each
    [said] = await provider.check([MODEL])
    assert "pip install 'batchd[anthropic]'" in said
    assert "pip install" in (await provider.find_batches()).why


TOO_POOR = "Your credit balance is too low to access the Anthropic API."
REFUSALS: list[tuple[Any, type[BatchdError], str]] = [
    ((401, error("authentication_error", f"invalid x-api-key {KEY}")), RejectedError, "refused the key"),
    ((403, error("permission_error", "Not allowed for this workspace.")), RejectedError, "workspace"),
    ((400, error("invalid_request_error", TOO_POOR)), RejectedError, "cannot pay"),
    ((402, error("billing_error", "Check the payment.")), RejectedError, "cannot pay"),
    ((429, error("rate_limit_error", "Slow down."), {"retry-after": "7"}), NotSent, "status 429"),
    ((529, error("overloaded_error", "Overloaded.")), TransientError, "status 529"),
    ((500, error("api_error", "Internal.")), TransientError, "status 500"),
    ((413, error("request_too_large", "Request exceeds the maximum size.")), SubmissionRefused, "status 413"),
    ((404, error("not_found_error", "Not found.")), RejectedError, "without /v1"),
    ((307, "", {"location": "http://127.0.0.1:9/x"}), TransientError, "redirects"),
    ((200, "<html>It works!</html>"), TransientError, "HTML page"),
    ((200, {"type": "message_batch"}), TransientError, "without its id"),
    ("hang up", TransientError, "broke"),
]


@pytest.mark.field("account refusals")
@pytest.mark.parametrize(("answer", "kind", "words"), REFUSALS, ids=lambda value: str(value)[:40])
async def test_a_refused_create_is_made_once_and_its_error_says_what_to_do(
    service: FakeAnthropic,
    provider: AnthropicProvider,
    make_submission: Make,
    answer: Any,
    kind: type[BatchdError],
    words: str,
) -> None:
    service.plan(*CREATE, answer)
    with pytest.raises(kind, match=words) as raised:
        await provider.submit(make_submission(ONE))
    assert type(raised.value) is kind
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert service.count(*CREATE) == 1
    if kind is NotSent:
        assert getattr(raised.value, "retry_after", None) == 7


async def test_a_refusal_names_the_line_of_the_request(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make
) -> None:
    service.plan(*CREATE, (400, error("invalid_request_error", "requests.1.params.model: Field required")))
    with pytest.raises(SubmissionRefused) as refused:
        await provider.submit(make_submission(ONE, ONE))
    assert refused.value.problems[0].line == 2


async def test_a_service_that_is_not_there_has_got_nothing(connect: Connect, make_submission: Make) -> None:
    with pytest.raises(NotSent, match="cannot be reached"):
        await connect(base_url="http://127.0.0.1:9").submit(make_submission(ONE))


async def test_a_batch_that_broke_off_before_its_end_was_not_sent(connect: Connect, make_submission: Make) -> None:
    async def reads_a_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.transport.abort()

    server = await asyncio.start_server(reads_a_little, "127.0.0.1", 0, limit=1_000)
    long = {"messages": [{"role": "user", "content": "x" * 20_000_000}]}
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(NotSent, match="before the whole of the batch was sent"):
            await connect(base_url=address).submit(make_submission(long))


async def test_a_batch_that_is_not_known_is_missing(provider: AnthropicProvider) -> None:
    with pytest.raises(RemoteMissing):
        await provider.poll(RemoteBatch("msgbatch_9", "k", {}))
    with pytest.raises(RemoteMissing):
        await provider.download(RemoteBatch("msgbatch_9", "k", {}), io.BytesIO())


@pytest.mark.field("answers")
@pytest.mark.parametrize(
    ("counts", "phase"),
    [
        ({"succeeded": 2, "errored": 1}, BatchPhase.COMPLETED),
        ({"succeeded": 1, "expired": 2}, BatchPhase.EXPIRED),
        ({"succeeded": 1, "canceled": 2}, BatchPhase.CANCELLED),
        ({"succeeded": 3, "expired": None}, BatchPhase.COMPLETED),
    ],
)
def test_how_a_batch_ended(counts: dict[str, int], phase: BatchPhase) -> None:
    status = status_of({"processing_status": "ended", "request_counts": counts})
    assert (status.phase, status.total) == (phase, 3)
    assert status_of({"processing_status": "resting", "request_counts": counts}).phase is BatchPhase.IN_PROGRESS


async def test_a_batch_is_cancelled_and_deleted(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make
) -> None:
    service.polls = 2
    submission = make_submission(ONE)
    batch = RemoteBatch(await provider.submit(submission), submission.key, {})
    await provider.cancel(batch)
    assert (await provider.poll(batch)).phase is BatchPhase.CANCELLING
    assert (await provider.purge(batch, submission)).problems, "it is still at work"
    assert (await provider.poll(batch)).phase is BatchPhase.CANCELLED
    await provider.cancel(batch)
    assert (await provider.purge(batch, submission)).deleted == [batch.id]
    assert (await provider.purge(batch, submission)).absent == [batch.id]


async def test_a_check_names_models_that_are_not_offered(connect: Connect) -> None:
    provider = connect()
    assert await provider.check([MODEL, f"{MODEL}-20251001", "claude-haiku-latest"]) == []
    [said] = await provider.check(["claude-9"])
    assert "does not offer the model claude-9" in said
    [said] = await connect(api_key="sk-ant-other").check([MODEL])
    assert "refused the key" in said
    assert "sk-ant-other" not in said


async def test_a_download_that_breaks_off_says_so(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make
) -> None:
    submission = make_submission(ONE)
    batch = RemoteBatch(await provider.submit(submission), submission.key, {})
    await provider.poll(batch)
    service.plan("GET", f"/v1/messages/batches/{batch.id}/results", (503, "busy"))
    with pytest.raises(TransientError):
        await provider.download(batch, io.BytesIO())
    await provider.download(replace(batch), target := io.BytesIO())
    assert target.getvalue().count(b"\n") == 1


@pytest.mark.field("transfers")
async def test_results_that_are_too_few_are_fetched_again(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make
) -> None:
    submission = make_submission(ONE, ONE, ONE)
    remote = await provider.submit(submission)
    batch = RemoteBatch(remote, submission.key, (await provider.poll(RemoteBatch(remote, submission.key, {}))).details)
    lost = service.batches[remote].results.pop()
    for _ in range(2):
        with pytest.raises(TransientError, match="Only 2 of 3 results"):
            await provider.download(batch, io.BytesIO())
    await provider.download(batch, target := io.BytesIO())
    assert target.getvalue().count(b"\n") == 2, "three times the same is believed"
    service.batches[remote].results.append(lost)
    await provider.download(batch, target := io.BytesIO())
    assert target.getvalue().count(b"\n") == 3


async def test_a_batch_that_cannot_be_written_was_not_sent(
    service: FakeAnthropic, provider: AnthropicProvider, make_submission: Make, tmp_path: Path
) -> None:
    submission = replace(make_submission(ONE), file=tmp_path / "gone" / "batch.jsonl")
    with pytest.raises(NotSent, match="cannot be written"):
        await provider.submit(submission)
    assert service.calls == []


def test_a_key_for_another_company_is_not_sent_by_mistake() -> None:
    with pytest.raises(ValueError, match="needs its own"):
        AnthropicProvider.Settings.model_validate({"base_url": "https://relay.test"})
    assert AnthropicProvider.Settings(base_url="https://api.anthropic.com/v1").base_url == "https://api.anthropic.com"


def test_the_limits_are_those_of_the_service(provider: AnthropicProvider) -> None:
    assert (provider.limits.max_requests, provider.completion_window) == (100_000, 86_400)
    assert 200_000_000 < provider.limits.max_bytes <= 256_000_000


def test_caches_are_warmed_where_it_is_wanted(connect: Connect) -> None:
    assert [connect(warm_up=wanted).warms_caches for wanted in (True, False)] == [True, False]
    assert not connect().warms_caches
