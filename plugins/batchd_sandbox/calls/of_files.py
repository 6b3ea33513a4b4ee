"""The endpoints of /v1/files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import BodyPartReader, web

from ..faults.file_shapes import SHAPES_OF_FILES
from ..records import FileRecord
from ..refusals import Refusal, invalid, invalid_value, missing_parameter, no_such_file
from .accounts import is_own, own
from .connections import reset, send, send_short
from .context import CONTEXT, ORDER, answer, new_id, page_limit, page_of

LARGEST = 512 * 1024 * 1024
BATCH_LIFETIME = 30 * 24 * 3600
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_BLOCK = 1 << 18


@dataclass(slots=True)
class _Upload:
    """What was read of the form so far."""

    draft: Path
    fields: dict[str, str]
    filename: str | None = None
    size: int = 0


class CutOff(Exception):
    """Raised to reset the connection in the middle of an upload."""


async def upload(request: web.Request) -> web.StreamResponse:
    """POST /files: a form with `file` and `purpose`, streamed to disk."""
    if not request.content_type.startswith("multipart/"):
        raise Refusal(400, "Invalid body: expected a multipart/form-data form with 'file' and 'purpose'.")
    store = request.app[CONTEXT].store
    order = request.get(ORDER)
    cut_at = None
    if order is not None and order.kind == "cut":
        cut_at = (request.content_length or 0) // 2
    form = _Upload(store.draft(), {})
    try:
        await _receive(request, form, cut_at)
        file = _accepted(form)
        form.draft.replace(store.content(file.id))
        store.add_file(file)
        own(request, file.id)
        return answer(file.shown())
    except CutOff:
        return reset(request)
    finally:
        form.draft.unlink(missing_ok=True)


async def _receive(request: web.Request, form: _Upload, cut_at: int | None) -> None:
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "Invalid body: a form within a form is not expected.")
        if part.name != "file":
            form.fields[part.name or ""] = await part.text()
            continue
        form.filename = part.filename or ""
        with form.draft.open("wb") as draft:
            while block := await part.read_chunk(_BLOCK):
                draft.write(block)
                form.size += len(block)
                if form.size > LARGEST:
                    raise Refusal(413, f"File is too large: the maximum is {LARGEST} bytes.", param="file")
                if cut_at is not None and form.size >= cut_at:
                    raise CutOff
    if cut_at is not None:
        raise CutOff


def _accepted(form: _Upload) -> FileRecord:
    if form.filename is None:
        raise missing_parameter("file")
    purpose = form.fields.get("purpose")
    if purpose is None:
        raise missing_parameter("purpose")
    if purpose not in PURPOSES:
        raise invalid_value("purpose", purpose, PURPOSES)
    if purpose == "batch" and not form.filename.endswith(".jsonl"):
        raise Refusal(400, "Invalid file format for Batch API. Must be .jsonl")
    now = int(time.time())
    lifetime = _lifetime(form.fields, purpose)
    expires_at = None if lifetime is None else now + lifetime
    return FileRecord(new_id("file-"), form.filename, form.size, purpose, now, expires_at)


def _lifetime(fields: dict[str, str], purpose: str) -> int | None:
    seconds = fields.get("expires_after[seconds]")
    if seconds is None:
        return BATCH_LIFETIME if purpose == "batch" else None
    if not seconds.isdigit() or not 3600 <= int(seconds) <= BATCH_LIFETIME:
        raise invalid(
            f"Invalid 'expires_after.seconds': expected an integer from 3600 to {BATCH_LIFETIME}.",
            "expires_after.seconds",
            "invalid_value",
        )
    return int(seconds)


async def files_list(request: web.Request) -> web.StreamResponse:
    """GET /files: one page, newest first by default."""
    limit = page_limit(request, default=10_000, maximum=10_000)
    order = request.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, ("asc", "desc"))
    files = request.app[CONTEXT].store.files(
        after=request.query.get("after"),
        limit=limit + 1,
        ascending=order == "asc",
        purpose=request.query.get("purpose"),
    )
    there = {file.id for file in files if is_own(request, file.id)}
    return answer(page_of([file.shown() for file in files], limit, there))


async def file(request: web.Request) -> web.StreamResponse:
    """GET /files/{id}."""
    return answer(_known(request).shown())


async def delete(request: web.Request) -> web.StreamResponse:
    """DELETE /files/{id}."""
    known = _known(request)
    request.app[CONTEXT].store.delete_file(known.id, int(time.time()))
    return answer({"id": known.id, "object": "file", "deleted": True})


async def content(request: web.Request) -> web.StreamResponse:
    """GET /files/{id}/content: all bytes, or those of the Range header."""
    known = _known(request)
    context = request.app[CONTEXT]
    path = context.store.content(known.id)
    ignores_range = context.orders.take("content", only="no-range") is not None
    start, end = (0, known.bytes) if ignores_range else _range(request, known.bytes)
    if start:
        context.store.count_call("content-resumed")
    order = request.get(ORDER)
    match None if order is None else order.kind:
        case "cut":
            return await send(request, path, start, end, half=True)
        case "short":
            return await send_short(request, path, start, end)
        case "slow" if order is not None:
            return await send(request, path, start, end, seconds=order.delay)
        case str(kind) if kind in SHAPES_OF_FILES:
            _, shaped = SHAPES_OF_FILES[kind]
            return web.Response(body=shaped(path.read_bytes()), content_type="application/octet-stream")
        case "other":
            other = context.store.another_output(known.id)
            size = 0 if other is None else other.bytes
            return await send(request, path if other is None else context.store.content(other.id), 0, size)
        case None if not ignores_range:
            return web.FileResponse(path, headers={"Content-Type": "application/octet-stream"})
    return await send(request, path, 0, known.bytes)


def _known(request: web.Request) -> FileRecord:
    file_id = request.match_info["file_id"]
    known = request.app[CONTEXT].store.file(file_id)
    if known is None:
        raise no_such_file(file_id)
    return known


def _range(request: web.Request, size: int) -> tuple[int, int]:
    try:
        requested = request.http_range
    except ValueError:
        return 0, size
    start, end, _ = requested.indices(size)
    return start, max(start, end)
