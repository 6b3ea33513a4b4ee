"""The key goes to the service and nowhere else: not with a redirect, not into a message."""

from __future__ import annotations

import base64
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from inline_support import KEY, Connect, InlineService, OpenRouterService, serving, submission_of
from mistral_service import MistralService
from xai_service import XAIService

from batchd import BatchdError, RemoteBatch, Submission
from batchd_inline.provider import InlineProvider

pytestmark = pytest.mark.field("hostile services")

KINDS: dict[str, type[InlineService]] = {"openrouter": OpenRouterService, "mistral": MistralService, "xai": XAIService}
BATCH = RemoteBatch("b", "01key", {"files": ["f"]})

CALLS: dict[str, Callable[[InlineProvider, Submission], Awaitable[Any]]] = {
    "upload": lambda provider, submission: provider.upload(submission),
    "submit": lambda provider, submission: provider.submit(submission),
    "find": lambda provider, submission: provider.find(submission),
    "poll": lambda provider, _: provider.poll(BATCH),
    "download": lambda provider, _: provider.download(BATCH, io.BytesIO()),
    "cancel": lambda provider, _: provider.cancel(BATCH),
    "forget": lambda provider, submission: provider.forget(submission),
    "purge": lambda provider, submission: provider.purge(BATCH, submission),
    "check": lambda provider, _: provider.check(["m"]),
}


class Answering(InlineService):
    """Answers every call with the same."""

    def __init__(self, answer: Callable[[], web.Response]) -> None:
        super().__init__()
        self.same = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.received.append((request.method, {}, dict(request.headers), b""))
        return self.same()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_call_follows_a_redirect(connect: Connect, tmp_path: Path, status: int) -> None:
    elsewhere = Answering(lambda: web.json_response({"id": "b", "data": []}))
    async with serving(elsewhere) as url:
        service = Answering(lambda: web.Response(status=status, headers={"Location": f"{url}/batches"}))
        async with serving(service):
            for dialect in KINDS:
                provider = connect(service, dialect, tries=1)
                for call in CALLS.values():
                    try:
                        said = await call(provider, submission_of(tmp_path, upload="f", attempt=2))
                    except BatchdError as error:
                        said = error
                    assert said is None or KEY not in f"{said!r}"
    assert len(service.received) > 20
    assert elsewhere.received == []


@pytest.mark.slow
async def test_no_message_repeats_the_key(connect: Connect, tmp_path: Path) -> None:
    forms = [KEY, base64.b64encode(f"x:{KEY}".encode()).decode(), f"Bearer {KEY}"]
    for status in (400, 401, 402, 403, 404, 409, 413, 429, 500):
        body = {"error": {"message": f"no {forms[0]} {forms[2]}", "code": forms[0], "metadata": {"raw": forms[1]}}}
        service = Answering(lambda body=body, status=status: web.json_response(body, status=status))  # type: ignore[misc]
        async with serving(service):
            for dialect in KINDS:
                provider = connect(service, dialect, tries=1)
                for call in CALLS.values():
                    try:
                        said = await call(provider, submission_of(tmp_path, upload="f"))
                    except BatchdError as error:
                        said = (error, getattr(error, "problems", ()), error.__cause__, error.__context__)
                    assert KEY not in f"{said!r}"
