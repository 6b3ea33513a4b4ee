"""A batch from its file to its results, with a service that keeps state; found again after a lost answer."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai_support import Connect, reset, serving, submission_of

from batchd import BatchPhase, RemoteBatch, Response, TransientError


class Service:
    """Keeps files and batches in memory and answers like Together: wrapped, in capitals, with its own purpose."""

    def __init__(self, *, lose_create: bool = False) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lose_create = lose_create

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = f"{request.method} {request.path.removeprefix('/v1')}"
        if call == "POST /files":
            form = await request.post()
            assert form["purpose"] == "batch-api"
            file = form["file"]
            assert isinstance(file, web.FileField)
            return web.json_response({"id": self.keep(file.filename, file.file.read())})
        if call == "POST /batches":
            created = await request.json()
            content = self.files[created["input_file_id"]][1]
            number = f"batch-{len(self.batches)}"
            answers = b"".join(self.answer(json.loads(line)) for line in content.splitlines())
            self.batches[number] = {
                "id": number,
                "status": "COMPLETED",
                "input_file_id": created["input_file_id"],
                "created_at": "2026-11-24T10:00:00Z",
                "output_file_id": self.keep("out", answers),
                "error_file_id": "",
            }
            if self.lose_create:
                return await reset(request)
            return web.json_response({"job": {**self.batches[number], "status": "VALIDATING"}, "warning": None})
        if call == "GET /batches":
            return web.json_response(list(self.batches.values()))
        if match := re.fullmatch(r"GET /batches/(.+)", call):
            return web.json_response(self.batches[match[1]])
        if match := re.fullmatch(r"GET /files/(.+)/content", call):
            return web.Response(body=self.files[match[1]][1])
        if match := re.fullmatch(r"DELETE /files/(.+)", call):
            del self.files[match[1]]
            return web.json_response({"deleted": True})
        raise AssertionError(call)

    def keep(self, name: str, content: bytes) -> str:
        id_ = f"file-{len(self.files)}"
        self.files[id_] = name, content
        return id_

    def answer(self, request: dict[str, Any]) -> bytes:
        body = {"choices": [{"message": {"content": request["custom_id"].upper()}}]}
        line = {"custom_id": request["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}
        return json.dumps(line).encode() + b"\n"


@pytest.mark.parametrize("lose_create", [False, True])
async def test_a_batch_goes_there_and_back(connect: Connect, tmp_path: Path, lose_create: bool) -> None:
    service = Service(lose_create=lose_create)
    async with serving(service.handle) as url:
        provider = connect(base_url=url, purpose="batch-api")
        uploaded = await provider.upload(submission_of(tmp_path, requests=100, upload=None))
        submission = submission_of(tmp_path, requests=100, upload=uploaded)
        assert list(await provider.find(submission)) == []
        if lose_create:
            with pytest.raises(TransientError):
                await provider.submit(submission)
            (id_,) = await provider.find(submission)
        else:
            id_ = await provider.submit(submission)
        status = await provider.poll(RemoteBatch(id_, submission.key, {}))
        assert status.phase is BatchPhase.COMPLETED
        batch = RemoteBatch(id_, submission.key, json.loads(json.dumps(dict(status.details))))
        results = [result async for result in provider.results(batch)]
        await provider.forget(submission)
        target = io.BytesIO()
        await provider.download(RemoteBatch(id_, submission.key, {}), target)
        await provider.aclose()
    assert len(service.batches) == 1
    assert uploaded not in service.files
    assert target.getvalue().count(b"\n") == 100
    texts = {result.custom_id: result.outcome.text for result in results if isinstance(result.outcome, Response)}
    assert texts == {f"j-{row}": f"J-{row}" for row in range(100)}
