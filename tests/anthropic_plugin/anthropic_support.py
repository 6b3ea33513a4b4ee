"""A service on loopback that behaves as Anthropic documents its Messages and Message Batches."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from tests.loopback import serving_in_a_thread

from batchd_anthropic.provider import AnthropicProvider

KEY = "sk-ant-test-4f0c9a7be21d"
MODEL = "claude-haiku-4-5"
VERSION = "2023-06-01"
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PARAMS = frozenset(
    {
        "model", "messages", "max_tokens", "system", "temperature", "top_p", "top_k", "stop_sequences", "metadata",
        "tools", "tool_choice", "thinking", "output_config", "service_tier", "cache_control",
    }
)  # fmt: skip

Json = Any
Connect = Callable[..., AnthropicProvider]
Plan = tuple[int, Json] | tuple[int, Json, dict[str, str]] | str


@dataclass
class Batch:
    """A batch as the service keeps it."""

    id: str
    requests: list[Json]
    created: datetime
    polls_left: int
    results: list[Json] = field(default_factory=list)
    state: str = "in_progress"
    ended: datetime | None = None
    cancelled: datetime | None = None


@dataclass
class FakeAnthropic:
    """The service. `outcome` may give another result than a message; `plans` are answers in place of its own."""

    url: str = ""
    polls: int = 1
    """Polls until a batch ends; 0: it ends at once."""
    outcome: Callable[[Json], Json | None] = lambda _: None
    calls: list[tuple[str, str, Json, dict[str, str]]] = field(default_factory=list)
    batches: dict[str, Batch] = field(default_factory=dict)
    plans: dict[tuple[str, str], list[Plan]] = field(default_factory=dict)
    executed: int = 0
    page: int = 1_000

    def plan(self, method: str, path: str, *answers: Plan) -> None:
        """Answer these first: (status, JSON), (status, JSON, headers), "hang up", or "lose": do it and hang up."""
        self.plans[method, path] = list(answers)

    def count(self, method: str, path: str) -> int:
        return sum(1 for each in self.calls if each[:2] == (method, path))

    def body(self, method: str, path: str) -> Json:
        return next(each[2] for each in reversed(self.calls) if each[:2] == (method, path))

    def headers(self, method: str, path: str) -> dict[str, str]:
        return next(each[3] for each in reversed(self.calls) if each[:2] == (method, path))

    # --- the service -----------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.path
        body = json.loads(content) if content else None
        self.calls.append((request.method, path, body, headers))
        plans = self.plans.get((request.method, path))
        plan = plans.pop(0) if plans else None
        if plan == "hang up":
            return _hung_up(request)
        if isinstance(plan, tuple):
            return _planned(plan)
        if headers.get("x-api-key") != KEY:
            return _refusal(401, "authentication_error", f"invalid x-api-key {headers.get('x-api-key')}")
        if headers.get("anthropic-version") != VERSION:
            return _refusal(400, "invalid_request_error", "anthropic-version: header is required")
        answer = self._route(request.method, path.removeprefix("/v1/").split("/"), body, dict(request.query))
        return _hung_up(request) if plan == "lose" else answer

    def _route(self, method: str, path: list[str], body: Json, query: dict[str, str]) -> web.StreamResponse:
        match method, path:
            case "GET", ["models"]:
                return web.json_response({"data": [{"id": f"{MODEL}-20251001"}], "has_more": False})
            case "POST", ["messages"]:
                return self._message(body)
            case "POST", ["messages", "batches"]:
                return self._create(body)
            case "GET", ["messages", "batches"]:
                return self._list(query)
        batch = self.batches.get(path[2]) if path[:2] == ["messages", "batches"] and len(path) > 2 else None
        if batch is None:
            return _refusal(404, "not_found_error", f"Not found: {'/'.join(path)}")
        match method, path[3:]:
            case "GET", []:
                batch.polls_left -= 1
                if batch.polls_left <= 0:
                    self.end(batch)
                return web.json_response(self._shown(batch))
            case "GET", ["results"] if batch.state == "ended":
                lines = b"".join(json.dumps(each).encode() + b"\n" for each in reversed(batch.results))
                return web.Response(body=lines, content_type="application/x-jsonl")
            case "POST", ["cancel"] if batch.state != "ended":
                batch.state, batch.cancelled = "canceling", _now()
                return web.json_response(self._shown(batch))
            case "DELETE", [] if batch.state == "ended":
                del self.batches[batch.id]
                return web.json_response({"id": batch.id, "type": "message_batch_deleted"})
        return _refusal(400, "invalid_request_error", f"The batch {batch.id} is {batch.state}.")

    def _create(self, body: Json) -> web.StreamResponse:
        seen = set()
        for number, each in enumerate(body["requests"]):
            if not _CUSTOM_ID.fullmatch(each["custom_id"]) or each["custom_id"] in seen:
                return _refusal(400, "invalid_request_error", f"requests.{number}.custom_id: not valid, or not unique")
            seen.add(each["custom_id"])
        return web.json_response(self._shown(self.add(body["requests"])))

    def add(self, requests: list[Json], *, polls: int | None = None) -> Batch:
        """Create a batch."""
        name = f"msgbatch_{len(self.batches) + 1:06d}"
        batch = Batch(name, requests, _now(), self.polls if polls is None else polls)
        self.batches[name] = batch
        if batch.polls_left <= 0:
            self.end(batch)
        return batch

    def end(self, batch: Batch) -> None:
        """Answer all requests of a batch; of one that is being cancelled, none any more."""
        if batch.state == "ended":
            return
        for each in batch.requests:
            result = {"type": "canceled"} if batch.cancelled else self.outcome(each) or self._result(each["params"])
            batch.results.append({"custom_id": each["custom_id"], "result": result})
        batch.state, batch.ended = "ended", _now()

    def _result(self, params: Json) -> Json:
        fault = _fault(params)
        if fault is not None:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": fault}}
            return {"type": "errored", "error": error}
        self.executed += 1
        return {"type": "succeeded", "message": message_for(params)}

    def _message(self, params: Json) -> web.StreamResponse:
        fault = _fault(params)
        if fault is not None:
            return _refusal(400, "invalid_request_error", fault)
        self.executed += 1
        limits = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-tokens-limit": "40000"}
        return web.json_response(message_for(params), headers=limits)

    def _list(self, query: dict[str, str]) -> web.StreamResponse:
        newest = list(reversed(self.batches.values()))
        if after := query.get("after_id"):
            newest = newest[[each.id for each in newest].index(after) + 1 :]
        shown = newest[: min(int(query.get("limit", 20)), self.page)]
        return web.json_response(
            {
                "data": [self._shown(each) for each in shown],
                "has_more": len(newest) > len(shown),
                "first_id": shown[0].id if shown else None,
                "last_id": shown[-1].id if shown else None,
            }
        )

    def _shown(self, batch: Batch) -> Json:
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        for each in batch.results:
            counts[each["result"]["type"]] += 1
        counts["processing"] = len(batch.requests) - len(batch.results)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": batch.state,
            "request_counts": counts,
            "created_at": _text(batch.created),
            "expires_at": _text(batch.created + timedelta(hours=24)),
            "ended_at": _text(batch.ended),
            "cancel_initiated_at": _text(batch.cancelled),
            "archived_at": None,
            "results_url": f"{self.url}/v1/messages/batches/{batch.id}/results" if batch.ended else None,
        }


def message_for(params: Json) -> Json:
    """The answer to a request: what it said last."""
    content = params["messages"][-1]["content"]
    said = content if isinstance(content, str) else " ".join(each.get("text", "…") for each in content)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": f"re: {said}"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5, "service_tier": "batch"},
    }


def _fault(params: Json) -> str | None:
    strange = sorted(params.keys() - _PARAMS)
    if strange:
        return f"{strange[0]}: Extra inputs are not permitted"
    if type(params.get("max_tokens")) is not int or params["max_tokens"] < 1:
        return "max_tokens: must be greater than or equal to 1"
    if not isinstance(params.get("messages"), list) or not params["messages"]:
        return "messages: at least one message is required"
    if any(each["role"] not in {"user", "assistant"} for each in params["messages"]):
        return "messages: the role is not allowed"
    return None


def _planned(plan: Any) -> web.StreamResponse:
    status, body, *headers = plan
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers[0] if headers else None)
    return web.json_response(body, status=status, headers=headers[0] if headers else None)


def error(kind: str, text: str) -> Json:
    """The body of a refusal."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


def _refusal(status: int, kind: str, text: str) -> web.StreamResponse:
    return web.json_response(error(kind, text), status=status)


def _hung_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _now() -> datetime:
    return datetime.now(UTC)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


@contextmanager
def running() -> Iterator[FakeAnthropic]:
    """The service in a thread of its own, since the kit's tests have loops of their own."""
    fake = FakeAnthropic()
    with serving_in_a_thread(fake.handle) as fake.url:
        yield fake
