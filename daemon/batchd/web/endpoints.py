"""What a route of the page is: its address, who may use it, and what it says of itself."""

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
    """One route. `open` needs no token; `orders` needs one that lets people order.

    `streams` takes as long as it takes: an upload, a download, events. `receives` reads its form itself, with the token
    that shows that it is ours. `query` and what follows it are for the OpenAPI document, which says of each what
    its handler says.
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
