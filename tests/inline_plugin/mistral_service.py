"""Mistral's batch jobs as its pages and its client describe them."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from inline_support import InlineService

ENDED = {"SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"}


class MistralService(InlineService):
    """Jobs with the requests in the create call."""

    outputs_inline = True
    """Whether a job holds its outputs; else they stand in a file. Those of rows that failed always do."""

    def __init__(self) -> None:
        super().__init__()
        self.ends_as = "SUCCESS"
        self.files: dict[str, bytes] = {}

    async def answer(self, call: str, request: web.Request) -> web.StreamResponse:
        method, path = call.split(" ")
        if call == "GET /models":
            return web.json_response({"object": "list", "data": [{"id": "acme/small"}]})
        if call == "POST /batch/jobs":
            return await self.create(request)
        if call == "GET /batch/jobs":
            size = int(request.query.get("page_size", "100"))
            start = int(request.query.get("page", "0")) * size
            newest = [self.described(job) for job in self.batches.values()][::-1]
            return web.json_response({"object": "list", "data": newest[start : start + size], "total": len(newest)})
        if path.startswith("/files/"):
            id_ = path.split("/")[2]
            if id_ not in self.files:
                return refused(404, "File not found")
            if method == "DELETE":
                del self.files[id_]
                return web.json_response({"id": id_, "object": "file", "deleted": True})
            return web.Response(body=self.files[id_])
        id_, _, below = path.removeprefix("/batch/jobs/").partition("/")
        job = self.batches.get(id_)
        if job is None:
            return refused(404, "Job not found")
        if below == "cancel":
            if job["status"] in ENDED:
                return refused(400, "The job has ended")
            job["status"] = "CANCELLED"
        elif method == "DELETE":
            del self.batches[id_]
            return web.json_response({"id": id_, "deleted": True})
        else:
            self.work(job)
        return web.json_response(self.described(job, inline=request.query.get("inline") == "true"))

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        unknown = set(body) - {"endpoint", "model", "metadata", "timeout_hours", "requests", "input_files"}
        if unknown or not body.get("requests"):
            return web.json_response(
                {"detail": [{"loc": ["body", "requests"], "msg": f"Not permitted: {unknown}", "type": "value_error"}]},
                status=422,
            )
        if len(body["requests"]) > 10_000:
            return refused(400, "At most 10000 requests are allowed")
        id_ = f"job-{len(self.batches)}"
        self.batches[id_] = {"id": id_, "status": "QUEUED", "left": self.polls, **body}
        return await self.created(request, web.json_response(self.described(self.batches[id_])))

    def work(self, job: dict[str, Any]) -> None:
        if job["status"] in ENDED:
            return
        job["left"], job["status"] = job["left"] - 1, "RUNNING" if job["left"] > 0 else self.ends_as
        if job["status"] in ENDED:
            good, bad = self.rows(job)
            if not self.outputs_inline:
                job["output_file"] = self.keep(f"{job['id']}-out", good)
            if bad:
                job["error_file"] = self.keep(f"{job['id']}-err", bad)

    def keep(self, id_: str, rows: list[dict[str, Any]]) -> str:
        self.files[id_] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        return id_

    def rows(self, job: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        good, bad = [], []
        for custom_id, body in self.answers(job["requests"]):
            row: dict[str, Any] = {"id": f"row-{custom_id}", "custom_id": custom_id, "error": None}
            if body is None:
                bad.append({**row, "response": {"status_code": 422, "body": {"message": "Too long.", "type": "x"}}})
            else:
                good.append({**row, "response": {"status_code": 200, "body": body}})
        return good, bad

    def described(self, job: dict[str, Any], *, inline: bool = False) -> dict[str, Any]:
        good, bad = self.rows(job) if job["status"] in ENDED else ([], [])
        return {
            "id": job["id"],
            "object": "batch",
            "input_files": [],
            "metadata": job.get("metadata"),
            "endpoint": job["endpoint"],
            "model": job["model"],
            "output_file": job.get("output_file"),
            "error_file": job.get("error_file"),
            "errors": [{"message": "Too long.", "count": len(bad)}] if bad else [],
            "outputs": good if inline and self.outputs_inline and job["status"] in ENDED else None,
            "status": job["status"],
            "created_at": 1_795_900_000,
            "completed_at": 1_795_900_100 if job["status"] in ENDED else None,
            "total_requests": len(job["requests"]),
            "completed_requests": len(good) + len(bad),
            "succeeded_requests": len(good),
            "failed_requests": len(bad),
        }


def refused(status: int, message: str) -> web.Response:
    """A refusal as Mistral writes it."""
    return web.json_response({"object": "error", "message": message, "type": "x", "code": "3000"}, status=status)
