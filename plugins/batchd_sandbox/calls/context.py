"""The context of all handlers, and small functions that they share."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from ..batches.runner import Runner
from ..faults.orders import Orders
from ..faults.table import Order
from ..refusals import Refusal, invalid
from ..settings import SandboxSettings
from ..store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """One running sandbox."""

    settings: SandboxSettings
    store: Store
    orders: Orders
    runner: Runner
    turns: dict[str, float] = field(default_factory=dict)
    """The bucket that limits live calls: its `level`, and the time `at` which it had that level."""


CONTEXT = web.AppKey("context", Context)
ORDER = web.RequestKey("order", Order)
"""The fault that a handler must carry out itself, if there is one."""


def new_id(prefix: str) -> str:
    """A new random id, such as `file-…`."""
    return f"{prefix}{secrets.token_hex(16)}"


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def refuse(refusal: Refusal) -> web.Response:
    """An error answer."""
    response = answer(refusal.body, refusal.status)
    response.headers.update(refusal.headers)
    return response


def page_of(items: list[dict[str, Any]], limit: int, there: set[str]) -> dict[str, Any]:
    """A page of a list, with only the ids in `there`. `items` has one item more than the page if others follow."""
    page = items[:limit]
    return {
        "object": "list",
        "data": [item for item in page if item["id"] in there],
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > limit,
    }


def page_limit(request: web.Request, *, default: int, maximum: int) -> int:
    """The page size that a client asks for."""
    text = request.query.get("limit", str(default))
    if not text.isdigit() or not 1 <= int(text) <= maximum:
        raise invalid(
            f"Invalid 'limit': expected an integer from 1 to {maximum}, but got '{text}' instead.",
            "limit",
            "invalid_value",
        )
    return int(text)


async def json_body(request: web.Request) -> dict[str, Any]:
    """The JSON object in a request."""
    try:
        body = msgspec.json.decode(await request.read())
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "We could not parse the JSON body of your request: a JSON object is expected.")
    return body
