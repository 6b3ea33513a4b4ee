"""The endpoints with immediate answers: chat completions, responses, embeddings and models."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import msgspec
from aiohttp import web

from ..answers.answering import ENDPOINTS, Request, unreadable_body
from ..refusals import invalid, no_such_model, ordered_refusal
from .context import CONTEXT, ORDER, Context, answer, json_body, new_id

_DECODERS: dict[str, msgspec.json.Decoder[Request]] = {
    path: msgspec.json.Decoder(endpoint.request) for path, endpoint in ENDPOINTS.items()
}


async def chat(request: web.Request) -> web.StreamResponse:
    """POST /chat/completions, /responses and /embeddings: one request, one answer."""
    context = request.app[CONTEXT]
    raw = await request.read()
    try:
        body = _DECODERS[request.path].decode(raw)
    except msgspec.DecodeError as reason:
        await json_body(request)  # Raises its own refusal if the body is not JSON.
        raise unreadable_body(str(reason)) from None
    _check_model(context, body.model)
    if getattr(body, "stream", None):
        raise invalid("The sandbox does not stream: ask without 'stream'.", "stream", "unsupported_value")
    _take_turn(context)
    if context.settings.live_latency:
        await asyncio.sleep(context.settings.live_latency)
    order = request.get(ORDER)
    faults = () if order is None else (order.kind,)
    result = ENDPOINTS[request.path].answer(body, new_id("").encode(), int(time.time()), faults)
    context.store.count_live(hashlib.blake2b(raw, digest_size=16).digest(), result.input_tokens, result.output_tokens)
    return web.Response(body=result.body, content_type="application/json")


async def models_list(request: web.Request) -> web.StreamResponse:
    """GET /models."""
    names = request.app[CONTEXT].settings.models
    return answer({"object": "list", "data": [_model(name) for name in names]})


async def model(request: web.Request) -> web.StreamResponse:
    """GET /models/{name}."""
    name = request.match_info["model"]
    _check_model(request.app[CONTEXT], name)
    return answer(_model(name))


def _take_turn(context: Context) -> None:
    """Raise Refusal if the call exceeds the limit, by a bucket that holds one second of calls."""
    limit = context.settings.calls_per_second
    if limit is None:
        return
    now, most = time.monotonic(), max(limit, 1.0)
    level = min(most, context.turns.get("level", most) + (now - context.turns.get("at", now)) * limit)
    enough = level >= 1.0
    context.turns.update(level=level - 1.0 if enough else level, at=now)
    if not enough:
        raise ordered_refusal(429, retry_after=1.0)


def _check_model(context: Context, name: str) -> None:
    if not context.settings.any_model and name not in context.settings.models:
        raise no_such_model(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1764000000, "owned_by": "sandbox"}
