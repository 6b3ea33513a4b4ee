"""A service with batches that answers at once, all in memory, so that a benchmark measures the client, not the server.

A batch is completed when it is created. Each answer is a line of some 790 bytes in OpenAI's shape, with the same text.
That takes some 2 µs a row; `batchd sandbox --instant` reads each request, and takes ten times as long. For
bench/start.py it records the processor time that a process and its descendants have used when the first file comes.

    python bench/batch_server.py    # prints its address, and serves until it is ended
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from typing import Any

from aiohttp import web
from measuring import family

ANSWER = {
    "id": "batch_req_69229c8a4f408190a9a3a0b8f2a5b3f1",
    "custom_id": "ID",
    "response": {
        "status_code": 200,
        "request_id": "0c6f9e2f2d7d4c0c8a5f3c1f6f6b7f34",
        "body": {
            "id": "chatcmpl-CeJ7mMZ4Zb8dUBpGmYd0cVtXwqWfA",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "sandbox-small",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "positive|on-time|good",
                        "refusal": None,
                        "annotations": [],
                    },
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 61,
                "completion_tokens": 7,
                "total_tokens": 68,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 0,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            },
            "service_tier": "default",
            "system_fingerprint": "fp_b547601dbd",
        },
    },
    "error": None,
}
CUSTOM_ID = re.compile(rb'"custom_id": ?"([^"]+)"')
ROUTES = web.RouteTableDef()
FILES: dict[str, bytes] = {}
BATCHES: dict[str, dict[str, Any]] = {}
NUMBERS = itertools.count(1)
WATCHED: list[int] = []
FIRST: dict[str, float] = {}


@ROUTES.post("/watch/{process}")
async def watch(request: web.Request) -> web.Response:
    WATCHED.append(int(request.match_info["process"]))
    return web.json_response({})


@ROUTES.get("/first")
async def first(_: web.Request) -> web.Response:
    return web.json_response(FIRST)


@ROUTES.post("/v1/files")
async def upload(request: web.Request) -> web.Response:
    if WATCHED and not FIRST:
        FIRST.update(at=time.time(), processor=sum(family(WATCHED[0]).values()))
    whole = await request.read()
    boundary = whole[: whole.index(b"\r\n")]
    # The part with a file name is the file; the others are short.
    [content] = [part for part in whole.split(b"\r\n" + boundary) if b"filename=" in part[:500]]
    number = f"file-{next(NUMBERS)}"
    FILES[number] = content[content.index(b"\r\n\r\n") + 4 :]
    return web.json_response(_file(number))


@ROUTES.get("/v1/files/{file}")
async def file(request: web.Request) -> web.Response:
    return web.json_response(_file(request.match_info["file"]))


@ROUTES.get("/v1/files/{file}/content")
async def content(request: web.Request) -> web.Response:
    return web.Response(body=FILES[request.match_info["file"]], content_type="application/octet-stream")


@ROUTES.delete("/v1/files/{file}")
async def delete(request: web.Request) -> web.Response:
    FILES.pop(request.match_info["file"], None)
    return web.json_response({"id": request.match_info["file"], "object": "file", "deleted": True})


@ROUTES.post("/v1/batches")
async def create(request: web.Request) -> web.Response:
    asked = await request.json()
    asking = CUSTOM_ID.findall(FILES[asked["input_file_id"]])
    before, behind = json.dumps(ANSWER).encode().split(b'"ID"')
    line = b'"' + behind + b"\n" + before + b'"'
    output = f"file-{next(NUMBERS)}"
    FILES[output] = before + b'"' + line.join(asking) + b'"' + behind + b"\n"
    now = int(time.time())
    batch = f"batch_{next(NUMBERS)}"
    BATCHES[batch] = {
        **asked,
        "id": batch,
        "object": "batch",
        "status": "completed",
        "created_at": now,
        "completed_at": now,
        "output_file_id": output,
        "error_file_id": None,
        "request_counts": {"total": len(asking), "completed": len(asking), "failed": 0},
    }
    return web.json_response(BATCHES[batch])


@ROUTES.get("/v1/batches")
async def batches(_: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [*BATCHES.values()][::-1][:20], "has_more": False})


@ROUTES.get("/v1/batches/{batch}")
async def batch(request: web.Request) -> web.Response:
    return web.json_response(BATCHES[request.match_info["batch"]])


def _file(number: str) -> dict[str, Any]:
    size = len(FILES.get(number, b""))
    return {"id": number, "object": "file", "bytes": size, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}


def main() -> None:
    app = web.Application(client_max_size=1 << 30)
    app.add_routes(ROUTES)
    runner = web.AppRunner(app, access_log=None)

    async def serve() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None  # noqa: SLF001  # aiohttp has no other way to learn the port
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # noqa: SLF001
        print(f"http://127.0.0.1:{port}/v1 answers at once.", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
