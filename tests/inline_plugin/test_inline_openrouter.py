"""Batches at OpenRouter: requests in the create call, answers in the poll."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from aiohttp import web
from inline_support import Connect, OpenRouterService, refused, submission_of

from batchd import (
    BatchPhase,
    CannotFind,
    Failure,
    NotKnownYet,
    NotSent,
    ProviderError,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    Response,
    SubmissionRefused,
    TransientError,
    Usage,
    read_output_line,
)
from batchd_inline.openrouter import OpenRouter
from batchd_inline.splitter import Item

pytestmark = pytest.mark.field("services")


async def test_a_batch_goes_there_and_back(connect: Connect, openrouter: OpenRouterService, tmp_path: Path) -> None:
    openrouter.polls = 1
    openrouter.failing = frozenset({"j-1"})
    provider, submission = connect(openrouter), submission_of(tmp_path)
    assert await provider.upload(submission) is None
    remote = RemoteBatch(await provider.submit(submission), submission.key, {})
    (body,) = openrouter.bodies("POST /batches")
    assert list(json.loads(body)) == ["endpoint", "model", "requests"]
    assert (await provider.poll(remote)).phase is BatchPhase.IN_PROGRESS
    status = await provider.poll(remote)
    assert (status.phase, status.total, status.completed, status.failed) == (BatchPhase.COMPLETED, 3, 2, 1)
    assert status.usage == Usage(22, 0, 8)
    assert status.answers_until == 1_795_900_000 + 30 * 86_400
    results = {result.custom_id: result.outcome async for result in provider.results(remote)}
    assert set(results) == {"j-0", "j-1", "j-2"}
    first, failed = results["j-0"], results["j-1"]
    assert isinstance(first, Response)
    assert first.text == "About j-0."
    assert first.body["usage"]["cost"] == 0.00025, "kept as it came"
    assert isinstance(failed, Failure)
    assert (failed.code, failed.message) == ("provider_error", "Upstream failed.")


async def test_a_row_is_one_line_however_the_service_lays_it_out(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})

    async def laid_out(request: web.Request) -> web.Response:
        batch = openrouter.batches["batch-0"] | {"status": "completed"}
        return web.Response(text=json.dumps(openrouter.described(batch, results=True), indent=2))

    openrouter.refusals["GET /batches/batch-0"].append(laid_out)
    target = io.BytesIO()
    await provider.download(remote, target)
    assert [json.loads(line)["custom_id"] for line in target.getvalue().splitlines()] == ["j-0", "j-1", "j-2"]


async def test_an_ended_batch_without_its_answers_is_read_in_pages(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.inline_results, openrouter.page_size = False, 4
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path, requests=10)), "01key", {})
    results = [result.custom_id async for result in provider.results(remote)]
    assert results == [f"j-{row}" for row in range(10)]
    assert openrouter.count("GET /batches/batch-0/results") == 3


async def test_a_gateway_may_give_its_answers_a_line_each(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.inline_results = False
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})

    async def lines(request: web.Request) -> web.Response:
        rows = openrouter.results(openrouter.batches["batch-0"])
        text = "".join(json.dumps(row) + "\n" for row in rows)
        return web.Response(text=text.rstrip(), content_type="application/x-ndjson")

    openrouter.refusals["GET /batches/batch-0/results"].append(lines)
    assert [result.custom_id async for result in provider.results(remote)] == ["j-0", "j-1", "j-2"]


async def test_answers_that_are_counted_and_not_given_are_waited_for(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    openrouter.refusals["GET /batches/batch-0"].append(
        web.json_response({"id": "batch-0", "status": "completed", "request_counts": {"completed": 3}, "results": None})
    )
    openrouter.refuse("GET /batches/batch-0/results", 404)
    with pytest.raises(RemoteMissing, match="counts 3 answers"):
        await provider.download(remote, io.BytesIO())
    target = io.BytesIO()
    await provider.download(remote, target)
    assert target.getvalue().count(b"\n") == 3


async def test_an_expired_batch_gives_the_answers_that_it_has(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.ends_as, openrouter.answered = "expired", 1
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    assert (await provider.poll(remote)).phase is BatchPhase.EXPIRED
    assert [result.custom_id async for result in provider.results(remote)] == ["j-0"]


async def test_a_failed_batch_says_why(connect: Connect, openrouter: OpenRouterService, tmp_path: Path) -> None:
    openrouter.ends_as, openrouter.answered = "failed", 0
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    status = await provider.poll(remote)
    assert (status.phase, [each.message for each in status.problems]) == (BatchPhase.FAILED, ["Invalid model ID"])
    assert [result async for result in provider.results(remote)] == []


async def test_a_download_that_breaks_off_begins_again(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})

    async def cut(request: web.Request) -> web.StreamResponse:
        batch = openrouter.batches["batch-0"] | {"status": "completed"}
        whole = json.dumps(openrouter.described(batch, results=True)).encode()
        response = web.StreamResponse()
        response.content_length = len(whole)
        await response.prepare(request)
        await response.write(whole[: len(whole) // 2])
        assert request.transport is not None
        request.transport.abort()
        return response

    async def short(request: web.Request) -> web.StreamResponse:
        batch = openrouter.batches["batch-0"] | {"status": "completed"}
        return web.Response(text=json.dumps(openrouter.described(batch, results=True))[:-40])

    openrouter.refusals["GET /batches/batch-0"] += [cut, short]
    target = io.BytesIO()
    await provider.download(remote, target)
    assert [json.loads(line)["custom_id"] for line in target.getvalue().splitlines()] == ["j-0", "j-1", "j-2"]


async def test_a_poll_reads_no_answers_where_the_state_stands_before_them(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    read: list[int] = []

    async def slowly(request: web.Request) -> web.StreamResponse:
        batch = openrouter.batches["batch-0"] | {"status": "completed"}
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps(openrouter.described(batch, results=True))[:-200].encode())
        read.append(1)
        await asyncio.sleep(60)
        return response

    openrouter.refusals["GET /batches/batch-0"].append(slowly)
    assert (await provider.poll(remote)).completed == 3
    assert read == [1]

    async def behind(request: web.Request) -> web.StreamResponse:
        batch = openrouter.described(openrouter.batches["batch-0"] | {"status": "completed"}, results=True)
        return web.json_response({"id": batch.pop("id"), "results": batch.pop("results"), **batch})

    openrouter.refusals["GET /batches/batch-0"] += [behind, behind]
    assert (await provider.poll(remote)).phase is BatchPhase.COMPLETED


@pytest.mark.parametrize("status", [404, 409, 400])
async def test_a_failed_batch_that_has_no_pages_either_gives_nothing(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path, status: int
) -> None:
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    for word, counted in (("failed", 0), ("expired", 2)):
        counts = {"total": 3, "completed": counted}
        record = {"id": "batch-0", "status": word, "request_counts": counts, "results": None}
        openrouter.refuse("GET /batches/batch-0", 200, record)
        openrouter.refuse("GET /batches/batch-0/results", status)
        target = io.BytesIO()
        if counted:
            with pytest.raises(RemoteMissing):
                await provider.download(remote, target)
        else:
            await provider.download(remote, target)
        assert target.getvalue() == b""


# --- creates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "Invalid model ID: acme/none", SubmissionRefused),
        (413, "The batch is larger than 200 MB", SubmissionRefused),
        (401, "No auth credentials found", RejectedError),
        (402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits", RejectedError),
        (403, "This key may not use batches", RejectedError),
        (404, "Not Found", RejectedError),
        (429, "Rate limit exceeded", NotSent),
        (500, "Internal Server Error", TransientError),
        (502, "Bad gateway", TransientError),
        (307, "Moved", TransientError),
    ],
)
async def test_a_refused_create_is_made_once(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path, status: int, message: str, error: type[Exception]
) -> None:
    body = {"error": {"code": status, "message": message}}
    openrouter.refuse("POST /batches", status, body, **{"Retry-After": "7", "Location": "https://elsewhere.example/"})
    with pytest.raises(ProviderError) as refusal:
        await connect(openrouter).submit(submission_of(tmp_path))
    assert type(refusal.value) is error
    assert openrouter.count("POST /batches") == 1
    if status == 429:
        assert refusal.value.retry_after == 7.0
    if isinstance(refusal.value, SubmissionRefused):
        assert [(each.code, each.message) for each in refusal.value.problems] == [(f"http_{status}", message)]


async def test_a_create_that_nobody_takes_was_not_sent(connect: Connect, tmp_path: Path) -> None:
    service = OpenRouterService()
    service.url = "http://127.0.0.1:1/api/v1"
    with pytest.raises(NotSent, match="Connection refused"):
        await connect(service).submit(submission_of(tmp_path))


async def test_the_key_of_the_batch_goes_with_its_create(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    extra = {"provider": {"only": ["google-vertex"]}}
    provider = connect(openrouter, extra_body=extra, headers={"X-Title": "reviews"})
    await provider.submit(submission_of(tmp_path, create_key="01key-2"))
    (_, _, headers, body) = openrouter.received[0]
    assert headers["Idempotency-Key"] == "01key-2"
    assert headers["X-Title"] == "reviews"
    assert headers["Content-Length"] == str(len(body))
    assert list(json.loads(body)) == ["provider", "endpoint", "model", "requests"]


# --- finding ---------------------------------------------------------------------------------------------------


async def test_a_create_of_unknown_outcome_is_found_by_its_answers(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider, before = connect(openrouter), connect(openrouter)
    await provider.submit(submission_of(tmp_path, key="known"))
    others = [await before.submit(submission_of(tmp_path, key=f"0{number}other")) for number in range(3)]
    await provider.submit(submission_of(tmp_path, key="larger", requests=7))
    openrouter.lose_creates, openrouter.page_size = True, 2
    with pytest.raises(TransientError):
        await provider.submit(submission_of(tmp_path))
    assert await provider.find(submission_of(tmp_path)) == ["batch-5"]
    assert await provider.find(submission_of(tmp_path, key="never")) == []
    looks = [call for call, *_ in openrouter.received if call.startswith("GET /batches/")]
    assert sorted(looks) == [f"GET /batches/{id_}" for id_ in [*others, "batch-5"]], (
        "each once, the larger and our own never"
    )


async def test_what_only_the_end_tells_is_not_known_yet(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.polls = 2
    provider = connect(openrouter)
    other = RemoteBatch(await connect(openrouter).submit(submission_of(tmp_path, key="other")), "other", {})
    with pytest.raises(NotKnownYet):
        await provider.find(submission_of(tmp_path))
    openrouter.batches["batch-0"]["left"] = 10**6
    await provider.poll(other)
    assert await provider.find(submission_of(tmp_path)) == [], "it is ours, and another one"


async def test_a_stranger_is_waited_for_until_its_end(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.polls = 2
    provider = connect(openrouter)
    await connect(openrouter).submit(submission_of(tmp_path, key="other"))
    for _ in range(2):
        with pytest.raises(NotKnownYet):
            await provider.find(submission_of(tmp_path))
    assert await provider.find(submission_of(tmp_path)) == []


async def test_a_completed_batch_without_answers_may_be_ours(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.inline_results = False
    await connect(openrouter).submit(submission_of(tmp_path))
    openrouter.refuse("GET /batches/batch-0/results", 404)
    with pytest.raises(NotKnownYet):
        await connect(openrouter).find(submission_of(tmp_path))
    assert await connect(openrouter).find(submission_of(tmp_path)) == ["batch-0"], "once it has pages"


async def test_a_list_that_claims_more_than_it_shows_finds_nothing(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    page = {"object": "list", "data": [{"id": "b", "endpoint": "/v1/embeddings"}], "has_more": True, "last_id": "b"}
    openrouter.refusals["GET /batches"] += [web.json_response(page), web.json_response(page)]
    with pytest.raises(CannotFind, match="more batches"):
        await connect(openrouter).find(submission_of(tmp_path))
    for status in (400, 404, 501):
        openrouter.refuse("GET /batches", status)
        with pytest.raises(CannotFind):
            await connect(openrouter).find(submission_of(tmp_path))


# --- the rest --------------------------------------------------------------------------------------------------


async def test_a_batch_that_is_not_there_is_missing(connect: Connect, openrouter: OpenRouterService) -> None:
    with pytest.raises(RemoteMissing):
        await connect(openrouter).poll(RemoteBatch("batch-9", "01key", {}))


async def test_a_busy_service_is_asked_again(connect: Connect, openrouter: OpenRouterService, tmp_path: Path) -> None:
    provider = connect(openrouter)
    remote = RemoteBatch(await provider.submit(submission_of(tmp_path)), "01key", {})
    openrouter.refusals["GET /batches/batch-0"] += [
        refused(503, "busy"),
        refused(429, "slow", **{"Retry-After": "0.01"}),
    ]
    assert (await provider.poll(remote)).phase is BatchPhase.COMPLETED
    openrouter.refusals["GET /batches/batch-0"].append(refused(429, "slow", **{"Retry-After": "120"}))
    with pytest.raises(TransientError) as error:
        await provider.poll(remote)
    assert error.value.retry_after == 120.0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (web.Response(text="<html>Log in</html>", content_type="text/html"), TransientError, "an HTML page"),
        (web.Response(text="all well"), TransientError, "not JSON"),
        (web.Response(text='{"status": "completed"}'), TransientError, "without its id"),
        (web.Response(text='{"id": "' + "x" * 9_000_000), TransientError, "more than 8 MB"),
        (web.Response(status=302, headers={"Location": "https://elsewhere.example/"}), RejectedError, "redirects"),
        (web.Response(status=401, text="no such user"), RejectedError, "refused the key"),
    ],
)
async def test_what_is_no_batch_is_said(
    connect: Connect, openrouter: OpenRouterService, answer: web.Response, error: type[Exception], words: str
) -> None:
    async def again(request: web.Request) -> web.Response:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    openrouter.refusals["GET /batches/b"].append(again)
    with pytest.raises(error, match=words):
        await connect(openrouter, tries=1).poll(RemoteBatch("b", "01key", {}))
    assert all(headers["Host"].startswith("127.0.0.1") for _, _, headers, _ in openrouter.received)


async def test_a_purge_deletes_the_batch_with_its_requests_and_answers(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider, submission = connect(openrouter), submission_of(tmp_path)
    remote = RemoteBatch(await provider.submit(submission), submission.key, {})
    early = await provider.purge(remote, submission)
    assert "has not ended" in early.problems[0]
    await provider.poll(remote)
    assert (await provider.purge(remote, submission)).deleted == ["batch-0"]
    assert (await provider.purge(remote, submission)).absent == ["batch-0"]
    assert openrouter.batches == {}


async def test_a_check_says_what_is_wrong(connect: Connect, openrouter: OpenRouterService) -> None:
    provider = connect(openrouter)
    assert await provider.check(["acme/small"]) == []
    assert "Did you mean acme/small" in (await provider.check(["acme/smal"]))[0]
    assert "refused the key" in (await connect(openrouter, api_key="sk-other-11111111").check(["acme/small"]))[0]
    openrouter.refuse("GET /batches", 404)
    assert "correct base_url or dialect" in (await provider.check([]))[0]


def test_an_answer_that_is_too_large_fails_its_row_alone() -> None:
    beginning = b'{"id": "row_1", "custom_id": "01key_j-1", "response": {"status_code": 200, "body": {"choices": ['
    line = OpenRouter().line(Item(beginning, whole=False), "01key")
    assert line is not None
    result = read_output_line(line)
    assert result is not None
    assert (result.custom_id, result.outcome) == (
        "j-1",
        Failure("too_large", "The answer has more than 32 MB.", transient=False),
    )


def test_the_custom_id_is_that_of_the_row_and_not_one_in_its_answer() -> None:
    item = b'{"response": {"body": {"echo": {"custom_id": "01key_no"}}}, "custom_id": "01key_j-1", "error": null}'
    line = OpenRouter().line(Item(item, whole=True), "01key")
    assert line == item.replace(b'"01key_j-1"', b'"j-1"')
