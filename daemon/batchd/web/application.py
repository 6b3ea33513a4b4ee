"""The application: every route there is, and what all of them pass."""

from __future__ import annotations

from functools import partial
from importlib.resources import files as resources

from aiohttp import web

from ..config.web import Address
from .answers import as_json
from .backend import Backend
from .desk import DESK, MAX_WAITING, PAUSE, Desk
from .endpoints import Endpoint
from .guard import ENDPOINTS, MAX_FORM, add_headers, guard
from .metrics import Metrics
from .openapi import document
from .stream import MAX_STREAMS, Changes
from .table import API, PAGES

STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""Files that are the same for all, and are of use to nobody else: they need no token, as the log-in page shows them."""


async def healthz(desk: Desk, request: web.Request) -> web.StreamResponse:
    """`GET /healthz`: that the process answers. Says nothing else, since it needs no token."""
    del desk, request
    return web.Response(text="ok\n")


async def readyz(desk: Desk, request: web.Request) -> web.StreamResponse:
    """`GET /readyz`: that the daemon works."""
    del request
    if desk.backend.ready():
        return web.Response(text="ready\n")
    return web.Response(status=503, text="not ready\n")


async def static(desk: Desk, request: web.Request) -> web.StreamResponse:
    del desk
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    body = resources("batchd.web").joinpath("static", name).read_bytes()
    return web.Response(body=body, content_type=STATIC[name], charset="utf-8", headers={"Cache-Control": "max-age=300"})


CHANGES: web.AppKey[Changes] = web.AppKey("changes", Changes)


async def stream(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Server-sent events: `changed` whenever something that people see has changed."""
    del desk
    return await request.app[CHANGES].tell(request)


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)


async def metrics(desk: Desk, request: web.Request) -> web.StreamResponse:
    return await request.app[METRICS].show(desk, request)


async def openapi(desk: Desk, request: web.Request) -> web.StreamResponse:
    """This document."""
    del desk, request
    return as_json(document(ROUTES))


ROUTES = (
    Endpoint("GET", "/healthz", healthz, open=True),
    Endpoint("GET", "/readyz", readyz),
    Endpoint("GET", "/metrics", metrics),
    Endpoint("GET", "/static/{name}", static, open=True),
    *PAGES,
    *API,
    Endpoint("GET", "/api/v1/openapi.json", openapi),
    Endpoint("GET", "/api/v1/stream", stream, streams=True, answer="text/event-stream"),
)
"""All of them."""


def application(
    backend: Backend, address: Address, *, pause: float = PAUSE, waiting: int = MAX_WAITING, streams: int = MAX_STREAMS
) -> web.Application:
    """The page, ready to be served."""
    app = web.Application(middlewares=[guard], client_max_size=MAX_FORM)
    desk = app[DESK] = Desk(backend, address, pause=pause, waiting=waiting)
    changes = app[CHANGES] = Changes(desk, most=streams)
    app[METRICS] = Metrics()
    known: dict[tuple[str, str], Endpoint] = {}
    for each in ROUTES:
        add = app.router.add_get if each.method == "GET" else partial(app.router.add_route, each.method)
        route = add(each.path, partial(each.handler, desk))
        assert route.resource is not None
        known[each.method, route.resource.canonical] = each
    app[ENDPOINTS] = known
    app.on_response_prepare.append(add_headers)

    app.on_shutdown.append(changes.close)
    return app
