"""What the tests of batchd_openai share: a service on loopback with answers set by the test."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from tests import loopback

from batchd import RemoteBatch, Submission
from batchd_openai.provider import OpenAIProvider

KEY = "sk-test-4f0c9a7be21d"

Connect = Callable[..., OpenAIProvider]


@dataclass(frozen=True)
class Received:
    """One request, as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeService:
    """Answers each method and path with the answers that the test set, in turn. The last one is repeated."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    def on(self, method: str, path: str, *answers: Any) -> FakeService:
        """Answer with these: JSON (dict, list), a status, a tuple (status, JSON or text, headers), or a handler."""
        self.answers[method, path] = list(answers)
        return self

    def calls(self, method: str, path: str) -> list[Received]:
        return [call for call in self.received if (call.method, call.path) == (method, path)]

    def count(self, method: str, path: str) -> int:
        return len(self.calls(method, path))

    async def wait_for_call(self, method: str, path: str) -> None:
        """Wait until such a request has arrived."""
        async with asyncio.timeout(5), self.arrival:
            await self.arrival.wait_for(lambda: self.count(method, path) > 0)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.rel_url.raw_path.removeprefix("/v1")
        async with self.arrival:
            self.received.append(Received(request.method, path, dict(request.query), request.headers.copy(), body))
            self.arrival.notify_all()
        answers = self.answers.get((request.method, path))
        if not answers:
            return web.json_response({"error": {"message": f"no route {request.method} {path}"}}, status=404)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            return await answer(request)
        return response(answer)


def named(value: Any) -> str:
    """A test's id that is the same in every process; the address of a function is not."""
    return getattr(value, "__name__", None) or (type(value).__name__ if isinstance(value, Exception) else str(value))


def response(answer: Any) -> web.Response:
    """The full response for a short answer."""
    status, content, headers = 200, answer, {}
    if isinstance(answer, int):
        status, content = answer, {"error": {"message": f"the status is {answer}", "code": None}}
    elif isinstance(answer, tuple):
        status, content, *rest = answer
        headers = dict(rest[0]) if rest else {}
    if isinstance(content, str):
        kind = headers.pop("Content-Type", "text/html" if content.lstrip().startswith("<") else "text/plain")
        return web.Response(status=status, text=content, headers=headers, content_type=kind)
    return web.json_response(content, status=status, headers=headers)


def serving(handle: loopback.Handler) -> AbstractAsyncContextManager[str]:
    """A server on loopback; gives its base_url."""
    return loopback.serving(handle, "/v1")


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Read the request, then close the connection without an answer."""
    transport = request.transport
    assert transport is not None
    transport.close()
    return web.Response()


async def reset(request: web.Request) -> web.StreamResponse:
    """Read the request, then reset the connection."""
    transport = request.transport
    assert transport is not None
    transport.abort()
    return web.Response()


def raw(*lines: str, body: bytes = b"") -> loopback.Handler:
    """Send this head and body as they are, then close: for answers that aiohttp itself would never send."""

    async def handle(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        transport.close()
        return web.Response()

    return handle


def cut(content: bytes, *, after: int) -> loopback.Handler:
    """Announce the full length and send only the beginning."""
    return raw("HTTP/1.1 200 OK", f"Content-Length: {len(content)}", body=content[:after])


def lengthless(content: bytes) -> loopback.Handler:
    """Send the content without its length: it ends with the connection."""
    return raw("HTTP/1.1 200 OK", "Connection: close", body=content)


def ranged(content: bytes) -> loopback.Handler:
    """Send the requested range."""

    async def handle(request: web.Request) -> web.StreamResponse:
        requested = request.headers.get("Range")
        if requested is None:
            return web.Response(body=content)
        start = int(requested.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return web.Response(status=206, body=content[start:], headers=headers)

    return handle


def submission_of(folder: Path, *, key: str = "01key", requests: int = 3, **fields: Any) -> Submission:
    """A submission with its file."""
    file = folder / f"{key}.jsonl"
    lines = (
        {"custom_id": f"j-{row}", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}
        for row in range(requests)
    )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    values: dict[str, Any] = {
        "key": key,
        "file": file,
        "requests": requests,
        "size": file.stat().st_size,
        "model": "m",
        "endpoint": "/v1/chat/completions",
        "upload": "file-1",
        "timeout": 5.0,
    }
    return Submission(**{**values, **fields})


def remote(output: str | None = "file-out", error: str | None = None, **details: Any) -> RemoteBatch:
    """A finished batch with these files."""
    return RemoteBatch("batch_1", "01key", {"output_file_id": output, "error_file_id": error, **details})


def batch(id_: str = "batch_1", status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A batch object as OpenAI writes it."""
    return {"id": id_, "object": "batch", "status": status, "input_file_id": "file-1", "created_at": 1, **fields}


def answer_line(row: int, *, size: int = 0) -> bytes:
    """A line of an output file."""
    body = {"choices": [{"message": {"content": "x" * size or "yes"}, "finish_reason": "stop"}]}
    line = {"custom_id": f"j-{row}", "response": {"status_code": 200, "body": body}, "error": None}
    return json.dumps(line).encode() + b"\n"
