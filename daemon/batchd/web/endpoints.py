"""What an endpoint of the page is: its path, who may use it, and how the OpenAPI document describes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from .desk import Desk

Handler = Callable[["Desk", web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. `open`: it needs no token. `orders`: it needs a token that lets people order.

    `streams`: it has no time limit, as an upload, a download or events take long. `receives`: its handler reads the
    form itself, and checks the form's token. `query` and the fields below it are for the OpenAPI document, which
    describes the endpoint by its handler's docstring.
    """

    method: str
    path: str
    handler: Handler
    _: KW_ONLY
    open: bool = False
    orders: bool = False
    streams: bool = False
    receives: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    answer: str = "application/json"
    statuses: tuple[str, ...] = ("200",)
