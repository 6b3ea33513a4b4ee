"""`Idempotency-Key`: the same while an outcome is unknown, another after any definite answer; creates and live calls."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from batchd import NotSent, Problem, RejectedError, RemoteMissing, Submission, SubmissionRefused, TransientError
from batchd.live.lanes import LiveTerms
from batchd.testing.fakes import FakeProvider, FakeService
from batchd_openai.provider import OpenAIProvider

from ..engine.conftest import MakeHousehold, csv_of, route
from ..loopback import serving

ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5},
}
Fault = tuple[int, Any, dict[str, str]]
"""Status, body (JSON or text) and headers. Status 0: the connection breaks after so many bytes of an answer."""

DEFINITE: dict[str, Fault] = {
    "too many": (429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}),
    "unavailable": (503, {"error": {"message": "busy"}}, {}),
    "overloaded": (529, {"error": {"message": "overloaded"}}, {}),
    "out of capacity": (498, {"error": {"message": "capacity_exceeded"}}, {}),
    "server error": (500, {"error": {"message": "oops"}}, {}),
    "a page": (200, "<html>It works!</html>", {"Content-Type": "text/html"}),
    "a text": (200, "pong", {"Content-Type": "text/plain"}),
    "nothing": (200, "", {}),
    "a redirect": (302, "", {"Location": "http://127.0.0.1:9/"}),
    "a stream": (200, "data: {}\n\n", {"Content-Type": "text/event-stream"}),
    "a bad key": (401, {"error": {"message": "bad key"}}, {}),
    "no credit": (402, {"error": {"message": "pay"}}, {}),
    "no quota": (429, {"error": {"message": "no credit", "code": "insufficient_quota"}}, {}),
    "no such model": (404, {"error": {"message": "no such model", "code": "model_not_found"}}, {}),
}
UNKNOWN: dict[str, Fault] = {
    "hung up": (0, "", {}),
    "cut short": (0, '{"choices": [', {"Content-Length": "5000"}),
    "cut short without a sign": (200, '{"choices": [', {"Content-Type": "application/json"}),
    "a gateway's time-out": (504, "<html>504</html>", {"Content-Type": "text/html"}),
    "a bad gateway": (502, "<html>502</html>", {"Content-Type": "text/html"}),
    "the edge's time-out": (524, "<html>524</html>", {"Content-Type": "text/html"}),
    "request time-out": (408, {"error": {"message": "time-out"}}, {}),
    "the first is still running": (409, {"error": {"message": "a request with this key is in progress"}}, {}),
}


class Service:
    """Answers each row the first time as its text says, and then well. `keys` has those of each row."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, list[str]] = defaultdict(list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = json.loads(await request.read())["messages"][-1]["content"]
        self.keys[text].append(request.headers["Idempotency-Key"])
        fault = (DEFINITE | UNKNOWN).get(text) if len(self.keys[text]) == 1 else None
        if fault is None:
            return web.json_response(ANSWER)
        status, body, headers = fault
        if status == 0:
            assert request.transport is not None
            if body:
                response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
                await response.prepare(request)
                await response.write(body.encode())
            request.transport.close()
            return web.Response()
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status, headers=headers)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    ours = Service()
    async with serving(ours.handle, "/v1") as ours.url:
        yield ours


@pytest.mark.slow
@pytest.mark.field("live calls")
async def test_live_calls_keep_their_key_while_their_outcome_is_unknown(
    make_household: MakeHousehold, service: Service
) -> None:
    provider = OpenAIProvider(OpenAIProvider.Settings.model_validate({"base_url": service.url, "api_key": "none"}))
    # Rows that are answered lie between them, so that the pace has something to go by.
    texts = [f"well {number}" for number in range(40)]
    for place, text in enumerate([*UNKNOWN, *DEFINITE]):
        texts += [text, *(f"well {place} {number}" for number in range(8))]
    household = make_household(provider=provider, live=LiveTerms(at_once=4), routes=(route(part_rows=100),))
    household.drop("reviews/may.csv", csv_of(texts))
    async with asyncio.timeout(15), household.living() as daemon:
        await daemon.take_in()
        while "reviews/may.report.json" not in household.outbox():
            await daemon.step()
            await asyncio.sleep(0)
    await provider.aclose()
    assert "reviews/may.failed.csv" not in household.outbox(), household.outbox()["reviews/may.failed.csv"].decode()
    faults = []
    for text, keys in service.keys.items():
        want = {1} if text.startswith("well") else {2, 3} if text in DEFINITE else {1}
        if len(set(keys)) not in want or (text in DEFINITE and len(set(keys)) != len(keys)):
            faults.append(f"{text}: {keys}")
    assert not faults, "\n".join(faults)
    assert Counter(map(len, service.keys.values()))[1] >= 40


CREATES: Sequence[tuple[str, Exception, bool]] = [
    ("not sent", NotSent("cannot be reached"), False),
    ("refused key", RejectedError("refused the key"), False),
    ("unknown file", RemoteMissing("no such file"), False),
    ("refused batch", SubmissionRefused("no", problems=(Problem("invalid", "no"),)), False),
    ("over the quota", SubmissionRefused("no", problems=(Problem("token_limit_exceeded", "limit 5"),)), False),
    ("server error", TransientError("status 500", answered=True), True),
    ("gateway", TransientError("status 504"), True),
    ("hung up", ConnectionResetError("cut"), True),
    ("silence", TimeoutError(), True),
    ("broken plugin", ValueError("oops"), True),
]


@pytest.mark.slow
@pytest.mark.field("creates of unknown outcome")
async def test_creates_keep_their_key_while_their_outcome_is_unknown(make_household: MakeHousehold) -> None:
    faults = []
    for name, error, same in CREATES:
        service, keys = FakeService(), []

        class Provider(FakeProvider):
            async def submit(self, submission: Submission, keys: list[str] = keys, error: Exception = error) -> str:  # type: ignore[override]
                keys.append(submission.create_key)
                if len(keys) == 1:
                    raise error
                return await super().submit(submission)

        household = make_household(provider=Provider(service), service=service)
        household.drop("reviews/may.csv", csv_of(["one", "two", "three", "four"]))
        async with household.living() as daemon:
            await daemon.take_in()
            await daemon.drain()
        if len(keys) < 2 or (keys[0] == keys[1]) is not same:
            faults.append(f"{name}: {keys}")
    assert not faults, "\n".join(faults)
