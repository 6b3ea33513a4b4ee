"""Live calls of the plugin: what is sent, and what comes of each answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from openai_support import KEY, Connect, FakeService, hang_up, named

from batchd import BatchdError, LiveAnswer, LiveCall, NotSent, RejectedError, TooManyCalls, TransientError

CHAT = "/chat/completions"
BODY = b'{"model":"m","messages":[]}'
ANSWER = {"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}


def call(**changes: Any) -> LiveCall:
    """A call of one row."""
    return LiveCall(**({"custom_id": "job-1", "body": BODY, "endpoint": f"/v1{CHAT}", "key": "b-job-1-0"} | changes))


async def test_the_body_goes_out_as_it_is_with_the_key(service: FakeService, connect: Connect) -> None:
    service.on("POST", CHAT, (200, ANSWER, {"X-RateLimit-Limit-Requests": "500"}))
    answer = await connect(headers={"X-Team": "blue"}, organization="org-1").answer(call())
    assert (answer.status, json.loads(answer.body)) == (200, ANSWER)
    assert answer.headers["x-ratelimit-limit-requests"] == "500"
    [received] = service.received
    assert received.body == BODY
    assert received.headers["Authorization"] == f"Bearer {KEY}"
    assert received.headers["X-Team"] == "blue"
    assert received.headers["OpenAI-Organization"] == "org-1"
    assert received.headers["Idempotency-Key"] == "b-job-1-0"


async def test_the_header_for_repeated_calls_can_be_left_out(service: FakeService, connect: Connect) -> None:
    service.on("POST", CHAT, ANSWER)
    await connect(idempotency_key=False).answer(call())
    assert "Idempotency-Key" not in service.received[0].headers


OUTCOMES: list[tuple[Any, type[BatchdError], str]] = [
    (429, TooManyCalls, "status 429"),
    (503, TooManyCalls, "status 503"),
    (529, TooManyCalls, "status 529"),
    ((429, {"error": {"message": "no credit", "code": "insufficient_quota"}}), RejectedError, "cannot pay"),
    (401, RejectedError, "refused the key"),
    (402, RejectedError, "cannot pay"),
    ((404, {"error": {"message": "no such model", "code": "model_not_found"}}), RejectedError, "no such model"),
    (405, RejectedError, "base_url"),
    (500, TransientError, "status 500"),
    ("<html>It works!</html>", TransientError, "HTML page"),
    ("no JSON", TransientError, "not JSON.*check base_url"),
    ("", TransientError, "not JSON.*check base_url"),
    ((200, [1, 2]), TransientError, "not JSON.*check base_url"),
    ((307, "", {"Location": "http://127.0.0.1:9/elsewhere"}), RejectedError, "redirects to"),
    ((200, "data: {}", {"Content-Type": "text/event-stream"}), RejectedError, "streams"),
    (hang_up, TransientError, "broke"),
]


@pytest.mark.field("hostile services")
@pytest.mark.parametrize(
    ("answered", "error", "words"), [pytest.param(*each, id=named(each[0])[:40]) for each in OUTCOMES]
)
async def test_what_is_no_answer_is_an_error(
    service: FakeService, connect: Connect, answered: Any, error: type[BatchdError], words: str
) -> None:
    service.on("POST", CHAT, answered)
    provider = connect()
    with pytest.raises(error, match=words) as raised:
        await provider.answer(call())
    assert type(raised.value) is error
    assert KEY not in str(raised.value)
    assert service.count("POST", CHAT) == 1, "it is called once: what to do then is decided elsewhere"


async def test_a_refusal_of_the_request_is_an_answer(service: FakeService, connect: Connect) -> None:
    service.on("POST", CHAT, (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}))
    answer = await connect().answer(call())
    assert answer.status == 400
    assert b"context_length_exceeded" in answer.body


async def test_a_question_that_is_flagged_is_refused_alone_and_not_the_key(
    service: FakeService, connect: Connect
) -> None:
    said = {"code": 403, "message": "This model requires moderation, and your input was flagged by the safety system"}
    service.on("POST", CHAT, (403, {"error": said}))
    assert (await connect().answer(call())).status == 403


async def test_what_is_used_up_and_for_how_long(service: FakeService, connect: Connect) -> None:
    error = {"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}}
    service.on("POST", CHAT, (429, error, {"Retry-After": "7"}))
    with pytest.raises(TooManyCalls) as raised:
        await connect().answer(call())
    assert (raised.value.limit, raised.value.retry_after) == ("tokens", 7.0)


async def test_an_answer_without_end_is_given_up(service: FakeService, connect: Connect) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(40):
            await response.write(b" " * 1_000_000)
        return response

    service.on("POST", CHAT, endless)
    answer = await connect().answer(call())
    assert isinstance(answer, LiveAnswer)
    assert answer.failure is not None
    assert answer.failure.code == "too_large"


@pytest.mark.field("hostile services")
async def test_a_body_that_is_cut_short_is_said_and_asked_once(service: FakeService, connect: Connect) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.close()
        return response

    service.on("POST", CHAT, cut)
    with pytest.raises(TransientError, match="broke"):
        await connect().answer(call())
    assert service.count("POST", CHAT) == 1


async def test_where_nobody_listens_nothing_was_sent(connect: Connect) -> None:
    with pytest.raises(NotSent, match="cannot be reached"):
        await connect(base_url="http://127.0.0.1:9/v1").answer(call())
