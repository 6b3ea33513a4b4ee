"""What the tests of batchd_inline share: services on loopback that behave as their pages say, refusals included."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from tests import loopback

from batchd import Submission
from batchd_inline.provider import InlineProvider

KEY = "sk-test-4f0c9a7be21d"
MODEL = "acme/small"

Connect = Callable[..., InlineProvider]


class InlineService:
    """Keeps batches in memory. What it does next is set by the attributes; each kind of service is a subclass."""

    prefix = "/v1"

    def __init__(self) -> None:
        self.url = ""
        self.batches: dict[str, dict[str, Any]] = {}
        self.received: list[tuple[str, Mapping[str, str], Mapping[str, str], bytes]] = []
        self.refusals: dict[str, list[web.StreamResponse | Callable[[web.Request], Any]]] = defaultdict(list)
        self.polls = 0
        """Polls of a batch before it has ended."""
        self.ends_as = "completed"
        self.answered: int | None = None
        """How many requests of a batch are answered before it ends; all of them if None."""
        self.failing: frozenset[str] = frozenset()
        """Ends of the custom_ids of requests that fail."""
        self.lose_creates = False
        """Whether the connection of a create breaks after the batch was created."""
        self.page_size = 100

    def refuse(self, call: str, status: int, body: Any = None, **headers: str) -> None:
        """Answer the next such call with this: `refuse("POST /batches", 429, {...}, **{"Retry-After": "7"})`."""
        if isinstance(body, str):
            self.refusals[call].append(web.Response(status=status, text=body, headers=headers))
        else:
            self.refusals[call].append(web.json_response(body or {}, status=status, headers=headers))

    def count(self, call: str) -> int:
        return sum(each[0] == call for each in self.received)

    def bodies(self, call: str) -> list[bytes]:
        return [each[3] for each in self.received if each[0] == call]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = f"{request.method} {request.path.removeprefix(self.prefix)}"
        # A body in parts can be read once only.
        body = b"" if request.content_type.startswith("multipart/") else await request.read()
        self.received.append((call, dict(request.query), dict(request.headers), body))
        if self.refusals[call]:
            refusal = self.refusals[call].pop(0)
            return await refusal(request) if callable(refusal) else refusal
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "User not found.", "code": 401}}, status=401)
        return await self.answer(call, request)

    async def answer(self, call: str, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    async def created(self, request: web.Request, response: web.Response) -> web.StreamResponse:
        if self.lose_creates:
            assert request.transport is not None
            request.transport.abort()
        return response

    def answers(self, requests: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """custom_id and answer of each request that is worked on; None in place of an answer that failed."""
        for request in requests[: self.answered]:
            custom_id = request["custom_id"]
            failed = any(custom_id.endswith(each) for each in self.failing)
            yield custom_id, None if failed else chat_answer(f"About {custom_id.rpartition('_')[2]}.")


def chat_answer(text: str) -> dict[str, Any]:
    return {
        "id": "gen-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15, "cost": 0.00025, "is_byok": False},
    }


class OpenRouterService(InlineService):
    """As openrouter.ai's pages describe it."""

    prefix = "/api/v1"
    inline_results = True
    """Whether an ended batch has its results in it; else they come in pages only."""

    async def answer(self, call: str, request: web.Request) -> web.StreamResponse:
        method, _, id_ = call.partition(" /batches")
        if call == "GET /models":
            return web.json_response({"data": [{"id": MODEL}, {"id": "acme/large"}]})
        if call == "POST /batches":
            return await self.create(request)
        if call == "GET /batches":
            return self.listed(request)
        id_, _, below = id_.removeprefix("/").partition("/")
        batch = self.batches.get(id_)
        if batch is None:
            return refused(404, "Batch not found")
        if method == "DELETE":
            if batch["status"] != self.ends_as:
                return refused(409, "The batch has not ended")
            del self.batches[id_]
            return web.json_response({"id": id_, "deleted": True})
        self.work(batch)
        if below == "results":
            start = int(request.query.get("cursor", "0"))
            rows = self.results(batch)[start : start + self.page_size]
            more = start + len(rows) < len(self.results(batch))
            cursor = str(start + len(rows)) if more else None
            return web.json_response({"object": "list", "data": rows, "has_more": more, "next_cursor": cursor})
        return web.json_response(self.described(batch, results=True))

    async def create(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text)
        if list(body)[-1] != "requests" or not {"endpoint", "model"} <= set(body):
            return refused(400, "`endpoint` and `model` must appear before `requests`")
        unknown = set(body) - {"endpoint", "model", "requests", "provider", "completion_window", "callback_url"}
        if unknown:
            return refused(400, f"Unrecognized keys: {unknown}")
        requests = body["requests"]
        ids = {each["custom_id"] for each in requests}
        if not 0 < len(requests) <= 5_000 or len(ids) != len(requests) or max(map(len, ids)) > 64:
            return refused(400, "requests must have between 1 and 5000 items with different custom_ids")
        if any(set(each) != {"custom_id", "body"} or each["body"].get("model") != body["model"] for each in requests):
            return refused(400, "Every request must have the model of the batch")
        id_ = f"batch-{len(self.batches)}"
        self.batches[id_] = {"id": id_, "status": "validating", "left": self.polls, **body}
        return await self.created(request, web.json_response(self.described(self.batches[id_]), status=202))

    def work(self, batch: dict[str, Any]) -> None:
        if batch["left"] > 0:
            batch["left"] -= 1
            batch["status"] = "in_progress"
        else:
            batch["status"] = self.ends_as

    def results(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        rows = []
        for number, (custom_id, body) in enumerate(self.answers(batch["requests"])):
            response = None if body is None else {"status_code": 200, "request_id": "request_1", "body": body}
            error = {"code": "provider_error", "message": "Upstream failed."} if body is None else None
            rows.append({"id": f"row_{number}", "custom_id": custom_id, "response": response, "error": error})
        return rows

    def described(self, batch: dict[str, Any], *, results: bool = False) -> dict[str, Any]:
        ended = batch["status"] == self.ends_as
        rows = self.results(batch) if ended else []
        good = sum(row["error"] is None for row in rows)
        usage = {"prompt_tokens": 11 * good, "completion_tokens": 4 * good, "total_tokens": 15 * good, "cost": 0.5}
        return {
            "id": batch["id"],
            "object": "batch",
            "endpoint": batch["endpoint"],
            "model": batch["model"],
            "completion_window": "24h",
            "status": batch["status"],
            "created_at": 1_795_900_000,
            "finalized_at": 1_795_900_060 if ended else None,
            "request_counts": {"total": len(batch["requests"]), "completed": good, "failed": len(rows) - good},
            "usage": usage if good else None,
            "results": rows if results and ended and self.inline_results else None,
            "error": {"code": 400, "message": "Invalid model ID"} if batch["status"] == "failed" else None,
        }

    def listed(self, request: web.Request) -> web.Response:
        newest = list(self.batches)[::-1]
        start = newest.index(request.query["after"]) + 1 if "after" in request.query else 0
        page = newest[start : start + min(self.page_size, int(request.query.get("limit", "20")))]
        return web.json_response(
            {
                "object": "list",
                "data": [self.described(self.batches[id_]) for id_ in page],
                "first_id": page[0] if page else None,
                "last_id": page[-1] if page else None,
                "has_more": start + len(page) < len(newest),
            }
        )


def refused(status: int, message: str, **headers: str) -> web.Response:
    """A refusal as OpenRouter writes it."""
    return web.json_response({"error": {"code": status, "message": message}}, status=status, headers=headers)


@asynccontextmanager
async def serving(service: InlineService) -> AsyncIterator[str]:
    """A server on loopback; yields its base_url."""
    async with loopback.serving(service.handle, service.prefix) as service.url:
        yield service.url


@contextmanager
def in_a_thread(service: InlineService) -> Iterator[str]:
    """The same for tests that have event loops of their own."""
    with loopback.serving_in_a_thread(service.handle, service.prefix) as service.url:
        yield service.url


def submission_of(folder: Path, *, key: str = "01key", requests: int = 3, **fields: Any) -> Submission:
    """A submission with its file."""
    file = folder / f"{key}.jsonl"
    lines = (
        {
            "custom_id": f"j-{row}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": MODEL, "messages": [{"role": "user", "content": f"Row {row}: Đẹp\u2028"}]},
        }
        for row in range(requests)
    )
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    values: dict[str, Any] = {
        "key": key,
        "file": file,
        "requests": requests,
        "size": file.stat().st_size,
        "model": MODEL,
        "endpoint": "/v1/chat/completions",
        "timeout": 5.0,
    }
    return Submission(**{**values, **fields})
