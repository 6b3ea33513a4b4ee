"""Live calls of the plugin: what is sent, and what comes of each answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic_support import KEY, MODEL, Connect, FakeAnthropic, error

from batchd import BatchdError, LiveCall, NotSent, RejectedError, TooManyCalls, TransientError
from batchd_anthropic.provider import AnthropicProvider

ASK = ("POST", "/v1/messages")
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "One."}], "max_tokens": 5}


def call(body: dict[str, Any] | None = None, endpoint: str = "/v1/chat/completions") -> LiveCall:
    """A call of one row."""
    return LiveCall("job-1", json.dumps(body or BODY).encode(), endpoint, "b-job-1-0")


async def test_a_row_is_asked_and_answered_in_openais_form(service: FakeAnthropic, provider: AnthropicProvider) -> None:
    answer = await provider.answer(call())
    assert service.body(*ASK) == BODY
    assert service.headers(*ASK)["idempotency-key"] == "b-job-1-0"
    body = json.loads(answer.body)
    assert body["choices"][0]["message"]["content"] == "re: One."
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    assert answer.headers == {"x-ratelimit-limit-requests": "50", "x-ratelimit-limit-tokens": "40000"}


async def test_a_row_that_cannot_be_translated_fails_unsent(
    service: FakeAnthropic, provider: AnthropicProvider
) -> None:
    answer = await provider.answer(call({**BODY, "seed": 1}))
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.transient) == ("unsupported_parameter", False)
    assert service.calls == []
    with pytest.raises(RejectedError, match="has none like it"):
        await provider.answer(call(endpoint="/v1/embeddings"))


async def test_a_refusal_of_the_request_is_an_answer(service: FakeAnthropic, provider: AnthropicProvider) -> None:
    service.plan(*ASK, (400, error("invalid_request_error", "prompt is too long")))
    answer = await provider.answer(call())
    assert answer.status == 400
    assert "prompt is too long" in json.loads(answer.body)["error"]["message"]
    # A relay wraps it in a success.
    service.plan(*ASK, (200, error("invalid_request_error", "prompt is too long")))
    assert (await provider.answer(call())).status == 400


@pytest.mark.field("hostile services")
async def test_an_answer_without_end_fails_its_row_and_is_not_asked_again(
    service: FakeAnthropic, provider: AnthropicProvider
) -> None:
    service.plan(*ASK, (200, "[" + " " * 33_000_000))
    answer = await provider.answer(call())
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.transient) == ("too_large", False)


TOO_POOR = "Your credit balance is too low to access the Anthropic API."
OUTCOMES: list[tuple[Any, type[BatchdError], str]] = [
    ((429, error("rate_limit_error", "Too many tokens."), {"retry-after": "3"}), TooManyCalls, "status 429"),
    ((529, error("overloaded_error", "Overloaded.")), TooManyCalls, "status 529"),
    ((500, error("api_error", "Internal.")), TransientError, "status 500"),
    ((200, error("overloaded_error", "Overloaded.")), TooManyCalls, "Overloaded"),
    ((401, error("authentication_error", f"invalid {KEY}")), RejectedError, "refused the key"),
    ((400, error("invalid_request_error", TOO_POOR)), RejectedError, "cannot pay"),
    ((404, error("not_found_error", "model: claude-9")), RejectedError, "model of the route"),
    ((200, "<html>It works!</html>"), TransientError, "HTML page"),
    ((200, {"ok": True}), TransientError, "without a message"),
    ((200, "data: {}", {"content-type": "text/event-stream"}), RejectedError, "streams its answers"),
    ((307, "", {"location": "http://127.0.0.1:9/x"}), RejectedError, "redirects"),
    ("hang up", TransientError, "broke"),
]


@pytest.mark.field("live calls")
@pytest.mark.parametrize(("answer", "kind", "words"), OUTCOMES, ids=lambda value: str(value)[:40])
async def test_what_is_no_answer_is_an_error(
    service: FakeAnthropic, provider: AnthropicProvider, answer: Any, kind: type[BatchdError], words: str
) -> None:
    service.plan(*ASK, answer)
    with pytest.raises(kind, match=words) as raised:
        await provider.answer(call())
    assert type(raised.value) is kind
    assert KEY not in str(raised.value)
    assert service.count(*ASK) == 1
    if kind is TooManyCalls and "retry-after" in str(answer):
        assert (getattr(raised.value, "retry_after", 0), getattr(raised.value, "limit", 0)) == (3, "tokens")


async def test_nobody_there_means_not_sent(connect: Connect) -> None:
    with pytest.raises(NotSent):
        await connect(base_url="http://127.0.0.1:9").answer(call())


@pytest.mark.field("services")
@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (None, True),
        ((404, "not here"), False),
        ((405, ""), False),
        ((200, "<html>It works!</html>"), False),
        ((403, error("permission_error", "no batches")), False),
        ((500, ""), None),
        ((401, error("authentication_error", "no")), None),
        ((200, {"ok": True}), None),
    ],
    ids=str,
)
async def test_whether_there_are_batches(
    service: FakeAnthropic, provider: AnthropicProvider, answer: Any, there: bool | None
) -> None:
    if answer is not None:
        service.plan("GET", "/v1/messages/batches", answer)
    found = await provider.find_batches()
    assert found.there is there
    assert found.why.endswith(".")
    assert service.executed == 0
