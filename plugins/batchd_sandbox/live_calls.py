"""The endpoints that answer at once: chat completions, responses, embeddings, and the list of models."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import msgspec
from aiohttp import web

from .answering import ENDPOINTS, Request, Twist, unreadable_body
from .context import CONTEXT, ORDER, Context, answer, json_asked, new_id
from .refusals import Refusal, no_such_model

_DECODERS: dict[str, msgspec.json.Decoder[Request]] = {
    path: msgspec.json.Decoder(endpoint.request) for path, endpoint in ENDPOINTS.items()
}


async def chat(request: web.Request) -> web.StreamResponse:
    """POST /chat/completions, /responses and /embeddings: one request, one answer."""
    context = request.app[CONTEXT]
    raw = await request.read()
    try:
        asked = _DECODERS[request.path].decode(raw)
    except msgspec.DecodeError as reason:
        await json_asked(request)  # What is no JSON at all is refused as that.
        raise unreadable_body(str(reason)) from None
    _check_model(context, asked.model)
    if getattr(asked, "stream", None):
        raise Refusal(
            400, "The sandbox does not stream: ask without 'stream'.", param="stream", code="unsupported_value"
        )
    order = request.get(ORDER)
    twist = Twist(
        length=order is not None and order.kind == "length", empty=order is not None and order.kind == "empty"
    )
    made = ENDPOINTS[request.path].answer(asked, new_id("").encode(), int(time.time()), twist)
    context.store.count_live(hashlib.blake2b(raw, digest_size=16).digest(), made.input_tokens, made.output_tokens)
    return web.Response(body=made.body, content_type="application/json")


async def models_list(request: web.Request) -> web.StreamResponse:
    """GET /models."""
    names = request.app[CONTEXT].settings.models
    return answer({"object": "list", "data": [_model(name) for name in names]})


async def model(request: web.Request) -> web.StreamResponse:
    """GET /models/{name}."""
    name = request.match_info["model"]
    _check_model(request.app[CONTEXT], name)
    return answer(_model(name))


def _check_model(context: Context, name: str) -> None:
    if not context.settings.any_model and name not in context.settings.models:
        raise no_such_model(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1764000000, "owned_by": "sandbox"}
