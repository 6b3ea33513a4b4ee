"""The endpoints of /v1/batches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..answers.answering import ENDPOINTS
from ..batches.lifecycle import answered_share, shown_counts
from ..records import BatchRecord, Status
from ..refusals import Refusal, invalid, invalid_value, missing_parameter, no_such_batch, no_such_file
from .accounts import is_own, own
from .connections import reset
from .context import CONTEXT, ORDER, answer, json_body, new_id, page_limit, page_of
from .of_files import BATCH_LIFETIME

if TYPE_CHECKING:
    from aiohttp import web

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512


async def create(request: web.Request) -> web.StreamResponse:
    """POST /batches. The file itself is checked later, in the state `validating`."""
    context = request.app[CONTEXT]
    body = await json_body(request)
    order = request.get(ORDER)
    kind = None if order is None else order.kind
    late = order.delay if order is not None and kind == "late" else 0.0
    key = request.headers.get("Idempotency-Key") if context.settings.idempotent else None
    known = None if key is None else context.store.batch_of_create_key(key)
    if known is not None:
        return _shown(known) if kind is None else reset(request)
    kept = _lifetime(body.get("output_expires_after"))
    for _ in range(2 if kind == "twice" else 1):
        batch = _new_batch(request, body, created_at=time.time() + late)
        context.store.add_batch(batch)
        if kept is not None:
            context.store.keep_lifetime(batch.id, kept)
        own(request, batch.id, batch.reserved_output_id, batch.reserved_error_id)
        context.runner.launch(batch.id)
    if key is not None:
        context.store.keep_create_key(key, batch.id)
    return _shown(batch) if kind is None else reset(request)


def _new_batch(request: web.Request, body: dict[str, Any], created_at: float) -> BatchRecord:
    context = request.app[CONTEXT]
    for name in ("input_file_id", "endpoint", "completion_window"):
        if body.get(name) is None:
            raise missing_parameter(name)
    if body["completion_window"] != "24h":
        raise invalid_value("completion_window", body["completion_window"], ("24h",))
    if body["endpoint"] not in ENDPOINTS:
        raise invalid_value("endpoint", body["endpoint"], tuple(ENDPOINTS))
    metadata = _metadata(body.get("metadata"))
    file_id = str(body["input_file_id"])
    file = context.store.file(file_id)
    if file is None or not is_own(request, file_id):
        raise no_such_file(file_id)
    if file.purpose != "batch":
        raise invalid(
            f"The file '{file_id}' has the purpose '{file.purpose}'; a batch takes files uploaded with 'batch'.",
            "input_file_id",
            "invalid_file_purpose",
        )
    return BatchRecord(
        id=new_id("batch_"),
        created_at=created_at,
        input_file_id=file_id,
        endpoint=body["endpoint"],
        metadata=metadata,
        latency=0.0 if context.settings.instant else context.settings.latency,
        faults=context.orders.take_for_batch(),
        reserved_output_id=new_id("file-"),
        reserved_error_id=new_id("file-"),
    )


def _lifetime(value: object) -> int | None:
    """The seconds for which the output and error file are kept; None if the call does not say."""
    if value is None:
        return None
    seconds = value.get("seconds") if isinstance(value, dict) and value.get("anchor") == "created_at" else None
    if not isinstance(seconds, int) or not 3600 <= seconds <= BATCH_LIFETIME:
        raise invalid(
            f"Invalid 'output_expires_after': expected the anchor 'created_at' and 3600 to {BATCH_LIFETIME} seconds.",
            "output_expires_after",
            "invalid_value",
        )
    return seconds


def _metadata(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid("Invalid type for 'metadata': expected an object.", "metadata", "invalid_type")
    if len(value) > METADATA_PAIRS:
        raise invalid(
            f"Invalid 'metadata': too many properties. Expected an object with at most {METADATA_PAIRS} properties,"
            f" but got an object with {len(value)} properties instead.",
            "metadata",
            "object_above_max_properties",
        )
    for key, text in value.items():
        if not isinstance(text, str):
            raise invalid(f"Invalid type for 'metadata.{key}': expected a string.", f"metadata.{key}", "invalid_type")
        for part, longest in ((key, METADATA_KEY), (text, METADATA_VALUE)):
            if len(part) > longest:
                raise invalid(
                    f"Invalid 'metadata': string too long. Expected a string with maximum length {longest}, but got"
                    f" a string with length {len(part)} instead.",
                    "metadata",
                    "string_above_max_length",
                )
    return value


async def batches_list(request: web.Request) -> web.StreamResponse:
    """GET /batches: one page, newest first."""
    limit = page_limit(request, default=20, maximum=100)
    now = time.time()
    batches = request.app[CONTEXT].store.batches(now=now, after=request.query.get("after"), limit=limit + 1)
    there = {batch.id for batch in batches if is_own(request, batch.id) and not batch.fault("vanish")}
    return answer(page_of([batch.shown(shown_counts(batch, now)) for batch in batches], limit, there))


async def retrieve(request: web.Request) -> web.StreamResponse:
    """GET /batches/{id}."""
    order = request.get(ORDER)
    return _shown(_known(request), without_files=order is not None and order.kind == "no-files")


async def cancel(request: web.Request) -> web.StreamResponse:
    """POST /batches/{id}/cancel: answers so far are kept."""
    context = request.app[CONTEXT]
    batch = _known(request)
    if batch.status in (Status.COMPLETED, Status.FAILED, Status.EXPIRED):
        raise Refusal(409, f"Cannot cancel a batch with status '{batch.status}'.")
    if batch.status not in (Status.CANCELLING, Status.CANCELLED):
        now = time.time()
        context.store.change_batch(
            batch.id, status=Status.CANCELLING, cancelling_at=now, answered=answered_share(batch, now)
        )
        context.runner.wake(batch.id)
    return _shown(_known(request))


def _known(request: web.Request) -> BatchRecord:
    batch_id = request.match_info["batch_id"]
    batch = request.app[CONTEXT].store.batch(batch_id)
    if batch is None or batch.created_at > time.time() or batch.fault("vanish"):
        raise no_such_batch(batch_id)
    return batch


def _shown(batch: BatchRecord, *, without_files: bool = False) -> web.Response:
    shown = batch.shown(shown_counts(batch, time.time()))
    return answer(shown | {"output_file_id": None, "error_file_id": None} if without_files else shown)
