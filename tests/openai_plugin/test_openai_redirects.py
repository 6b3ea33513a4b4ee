"""Redirects: none is followed with a key, with rows, or for a call that costs money; the message says where it goes."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from openai_support import KEY, Connect, FakeService, answer_line, batch, remote, serving, submission_of

from batchd import RejectedError, TransientError
from batchd_openai.provider import OpenAIProvider

pytestmark = pytest.mark.field("hostile services")

STATUSES = (301, 302, 303, 307, 308)
ANSWERS = b"".join(answer_line(row) for row in range(20))


@pytest.fixture
async def elsewhere() -> AsyncIterator[FakeService]:
    """Another origin, which answers everything that a service does."""
    other = FakeService()
    other.on("POST", "/files", {"id": "file-9"}).on("POST", "/batches", batch())
    other.on("GET", "/batches/batch_1", batch()).on("GET", "/batches", {"data": []}).on("GET", "/models", {"data": []})
    other.on("DELETE", "/files/file-1", {}).on("POST", "/batches/batch_1/cancel", batch())
    async with serving(other.handle) as url:
        other.url = url.replace("127.0.0.1", "localhost")
        yield other


CALLS: dict[str, tuple[str, str, Callable[[OpenAIProvider, Path], Awaitable[Any]]]] = {
    "upload": ("POST", "/files", lambda provider, folder: provider.upload(submission_of(folder))),
    "poll": ("GET", "/batches/batch_1", lambda provider, _: provider.poll(remote())),
    "find": ("GET", "/batches", lambda provider, folder: provider.find(submission_of(folder))),
    "cancel": ("POST", "/batches/batch_1/cancel", lambda provider, _: provider.cancel(remote())),
    "forget": ("DELETE", "/files/file-1", lambda provider, folder: provider.forget(submission_of(folder))),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", CALLS)
async def test_no_call_follows_one_with_the_key(
    service: FakeService, connect: Connect, elsewhere: FakeService, tmp_path: Path, name: str, status: int
) -> None:
    method, path, call = CALLS[name]
    provider = connect(headers={"X-Gateway-Key": "gw-4711-secret", "Cookie": "session=abcdef123456"})
    service.on(method, path, (status, "", {"Location": f"{elsewhere.url}{path}?token=1"}))
    with pytest.raises(RejectedError) as raised:
        await call(provider, tmp_path)
    assert f'base_url = "{elsewhere.url}"' in str(raised.value)
    assert "token" not in str(raised.value)
    assert elsewhere.received == []
    assert service.count(method, path) == 1


@pytest.mark.parametrize(
    "location", ["", "/v1/files/", "http://[", "//", "ftp://x/", "https://u:p@127.0.0.1:1/v1/files"]
)
async def test_odd_targets_are_said_without_what_may_be_secret(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, location: str
) -> None:
    service.on("POST", "/files", (307, "", {"Location": location}))
    with pytest.raises(RejectedError, match="redirects to") as raised:
        await provider.upload(submission_of(tmp_path))
    assert "u:p" not in str(raised.value)
    assert service.count("POST", "/files") == 1


@pytest.mark.parametrize("status", STATUSES)
async def test_a_create_that_is_redirected_may_have_been_carried_out(
    service: FakeService, provider: OpenAIProvider, elsewhere: FakeService, tmp_path: Path, status: int
) -> None:
    service.on("POST", "/batches", (status, "", {"Location": f"{elsewhere.url}/batches"}))
    with pytest.raises(TransientError, match="may have created the batch"):
        await provider.submit(submission_of(tmp_path))
    assert elsewhere.received == []
    assert service.count("POST", "/batches") == 1


@pytest.mark.parametrize("status", STATUSES)
async def test_a_file_is_fetched_from_a_storage_without_anything_of_ours(
    service: FakeService, connect: Connect, elsewhere: FakeService, status: int
) -> None:
    provider = connect(headers={"X-Gateway-Key": "gw-4711-secret"}, query={"token": "q-4711-secret"})
    elsewhere.on("GET", "/signed", lambda _: _content(ANSWERS))
    location = f"{elsewhere.url}/signed?sig=1"
    service.on("GET", "/files/file-out/content", (status, "", {"Location": location, "Set-Cookie": "a=session-4711"}))
    target = io.BytesIO()
    await provider.download(remote(), target)
    assert target.getvalue() == ANSWERS
    (call,) = elsewhere.received
    sent = f"{call.headers} {call.query} {call.path}"
    assert not [secret for secret in (KEY, "4711") if secret in sent], sent


async def test_a_storage_that_redirects_again_is_not_followed(
    service: FakeService, provider: OpenAIProvider, elsewhere: FakeService
) -> None:
    elsewhere.on("GET", "/signed", (302, "", {"Location": f"{service.url}/files/file-out/content"}))
    service.on("GET", "/files/file-out/content", (302, "", {"Location": f"{elsewhere.url}/signed"}))
    with pytest.raises(TransientError, match="redirects to localhost"):
        await provider.download(remote(), io.BytesIO())


async def _content(content: bytes) -> Any:
    from aiohttp import web

    return web.Response(body=content)
