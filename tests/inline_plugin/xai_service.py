"""xAI's batches as its pages describe them."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from inline_support import InlineService


class XAIService(InlineService):
    """A file ahead, counts in place of a status, answers in pages."""

    counted = None
    """How many requests a new batch counts until it is polled again; all of them if None."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[str, bytes]] = {}
        self.invalid = ""
        """Why the service cancels new batches, if it does."""

    async def answer(self, call: str, request: web.Request) -> web.StreamResponse:
        method, path = call.split(" ")
        if call == "GET /models":
            return web.json_response({"data": [{"id": "acme/small"}], "object": "list"})
        if path.startswith("/files"):
            return await self.file(method, path.removeprefix("/files").lstrip("/"), request)
        if call == "POST /batches":
            return await self.create(request)
        if call == "GET /batches":
            return self.page("batches", [self.described(each) for each in self.batches.values()][::-1], request)
        id_, _, below = path.removeprefix("/batches/").partition("/")
        cancels = id_.endswith(":cancel")
        batch = self.batches.get(id_.removesuffix(":cancel"))
        if batch is None or method == "DELETE":
            return refused(404, "some-requested-entity-was-not-found", f"Batch {id_} not found")
        if below == "results":
            return self.page("results", self.results(batch), request)
        if cancels:
            batch["cancel_time"] = "2026-11-29T02:00:00Z"
            batch["left"] = 0
        described = self.described(batch)
        batch["left"], batch["counted"] = max(batch["left"] - 1, 0), None
        return web.json_response(described)

    async def file(self, method: str, id_: str, request: web.Request) -> web.StreamResponse:
        if method == "POST":
            form = await request.post()
            content = form["file"]
            assert isinstance(content, web.FileField)
            if set(form) != {"file"}:
                return refused(400, "invalid-argument", "purpose is not known")
            name = f"file-{len(self.files)}"
            self.files[name] = content.filename, content.file.read()
            return web.json_response({"id": name, "filename": content.filename, "purpose": ""})
        if method == "GET":
            return self.page("data", [{"id": id_, "filename": name} for id_, (name, _) in self.files.items()], request)
        if id_ not in self.files:
            return refused(404, "not-found", "File not found")
        del self.files[id_]
        return web.json_response({"id": id_, "deleted": True})

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if set(body) != {"name", "input_file_id"}:
            return refused(400, "invalid-argument", f"Unknown fields: {sorted(body)}")
        if body["input_file_id"] not in self.files:
            return refused(404, "not-found", f"File {body['input_file_id']} not found")
        _, content = self.files[body["input_file_id"]]
        requests = [json.loads(line) for line in content.split(b"\n") if line]
        id_ = f"batch_{len(self.batches)}"
        self.batches[id_] = {"id": id_, "left": self.polls, "requests": requests, "counted": self.counted, **body}
        if self.invalid:
            self.batches[id_] |= {"cancel_time": "2026-11-29", "message": self.invalid, "requests": []}
        return await self.created(request, web.json_response(self.described(self.batches[id_])))

    def results(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        if batch["left"] > 0:
            return []
        rows: list[dict[str, Any]] = []
        for custom_id, body in self.answers(batch["requests"]):
            if body is None:
                error = {"code": 3, "message": "Invalid request."}
                rows.append({"batch_request_id": custom_id, "batch_result": {"error": error}})
            else:
                result = {"response": {"chat_get_completion": body}, "error": {"code": 0, "message": ""}}
                rows.append({"batch_request_id": custom_id, "batch_result": result, "error_message": None})
        return rows

    def described(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = self.results(batch)
        failed = sum("response" not in row["batch_result"] for row in rows)
        total = len(batch["requests"]) if batch["counted"] is None else batch["counted"]
        state = {
            "num_requests": total,
            "num_pending": 0 if batch["left"] == 0 else total,
            "num_success": len(rows) - failed if batch["counted"] is None else total,
            "num_error": failed,
            "num_cancelled": total - len(rows) if batch.get("cancel_time") else 0,
        }
        return {
            "batch_id": batch["id"],
            "name": batch["name"],
            "create_time": "2026-11-28",
            "expire_time": "2026-12-28",
            "cancel_time": batch.get("cancel_time"),
            "cancel_by_xai_message": batch.get("message"),
            "input_file_id": batch["input_file_id"],
            "state": state,
        }

    def page(self, name: str, rows: list[dict[str, Any]], request: web.Request) -> web.Response:
        start = int(request.query.get("pagination_token", "0"))
        end = start + min(self.page_size, int(request.query.get("limit", "100")))
        token = str(end) if end < len(rows) else None
        return web.json_response({name: rows[start:end], "pagination_token": token})


def refused(status: int, code: str, message: str) -> web.Response:
    """A refusal as xAI writes it."""
    return web.json_response({"code": code, "error": message}, status=status)
