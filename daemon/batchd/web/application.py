"""The aiohttp application: every endpoint, behind the guard that all requests pass."""

from __future__ import annotations

from functools import partial
from importlib.resources import files as resources

from aiohttp import web

from ..config.web import Address
from . import api, programs
from .answers import as_json
from .backend import Backend
from .desk import DESK, MAX_WAITING, PAUSE, Desk
from .endpoints import Endpoint, Handler
from .guard import ENDPOINTS, MAX_FORM, add_headers, guard
from .metrics import Metrics
from .openapi import document
from .pages import entry, files, jobs, money, orders
from .stream import MAX_STREAMS, Changes

STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""Files that are the same for everyone. They need no token, as the log-in page shows them."""


async def healthz(_desk: Desk, _request: web.Request) -> web.StreamResponse:
    """`GET /healthz`: that the process answers. Says nothing else, since it needs no token."""
    return web.Response(text="ok\n")


async def readyz(desk: Desk, _request: web.Request) -> web.StreamResponse:
    """`GET /readyz`: that the daemon works."""
    if desk.backend.ready():
        return web.Response(text="ready\n")
    return web.Response(status=503, text="not ready\n")


async def static(_desk: Desk, request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    body = resources("batchd.web").joinpath("static", name).read_bytes()
    return web.Response(body=body, content_type=STATIC[name], charset="utf-8", headers={"Cache-Control": "max-age=300"})


CHANGES: web.AppKey[Changes] = web.AppKey("changes", Changes)


async def stream(_desk: Desk, request: web.Request) -> web.StreamResponse:
    """Server-sent events: `changed` whenever something that people see has changed."""
    return await request.app[CHANGES].tell(request)


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)


async def metrics(desk: Desk, request: web.Request) -> web.StreamResponse:
    return await request.app[METRICS].show(desk, request)


async def openapi(_desk: Desk, _request: web.Request) -> web.StreamResponse:
    """This document."""
    return as_json(document(ROUTES))


JSON_BODY = {"content": {"application/json": {"schema": {"type": "object"}}}}
FILE_BODY = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}


def _order(path: str, handler: Handler) -> Endpoint:
    return Endpoint("POST", path, handler, orders=True, body=JSON_BODY, statuses=("200", "202", "409"))


PAGES = (
    Endpoint("GET", "/login", entry.show, open=True),
    Endpoint("POST", "/login", entry.enter, open=True),
    Endpoint("POST", "/logout", entry.leave),
    Endpoint("GET", "/", jobs.show_list),
    Endpoint("GET", "/jobs/{job}", jobs.show_job),
    Endpoint("GET", "/jobs/{job}/files/{name:.+}", files.download, streams=True),
    Endpoint("POST", "/jobs/{job}/{order}", orders.order_job, orders=True),
    Endpoint("GET", "/batches", jobs.show_batches),
    Endpoint("POST", "/batches/{batch}/resolve", orders.resolve_batch, orders=True),
    Endpoint("POST", "/pause", orders.pause, orders=True),
    Endpoint("POST", "/resume", orders.resume, orders=True),
    Endpoint("GET", "/spending", money.show),
    Endpoint("GET", "/upload", orders.show_upload, orders=True),
    Endpoint("POST", "/upload", orders.upload, orders=True, streams=True, receives=True),
)

API = (
    Endpoint("GET", "/api/v1", api.about),
    Endpoint(
        "GET",
        "/api/v1/jobs",
        api.jobs,
        query={
            "group": "now, waiting, held, failed or done",
            "route": "of this route alone",
            "text": "a part of the file's name, or the first characters of an id",
            "page": "from 1",
            "size": "jobs on a page, at most 200",
        },
    ),
    Endpoint("GET", "/api/v1/jobs/{job}", api.job),
    Endpoint("GET", "/api/v1/jobs/{job}/events", api.events, query={"offset": "how many events to skip"}),
    Endpoint(
        "GET", "/api/v1/jobs/{job}/files/{name:.+}", files.download, streams=True, answer="application/octet-stream"
    ),
    Endpoint(
        "GET",
        "/api/v1/jobs/{job}/results",
        programs.results,
        streams=True,
        query={"offset": "how many rows to skip"},
        answer="application/x-ndjson",
    ),
    _order("/api/v1/jobs/{job}/{order}", api.order_job),
    Endpoint("GET", "/api/v1/batches", api.batches),
    _order("/api/v1/batches/{batch}/resolve", api.resolve_batch),
    _order("/api/v1/pause", api.pause),
    _order("/api/v1/resume", api.resume),
    Endpoint("GET", "/api/v1/conditions", api.conditions),
    Endpoint(
        "GET",
        "/api/v1/spending",
        api.spending,
        query={"by": "day, month, route, model, provider or job", "days": "how far back; about a month if not given"},
    ),
    Endpoint("GET", "/api/v1/routes", api.routes),
    Endpoint(
        "PUT",
        "/api/v1/routes/{route}/files/{name}",
        api.put_file,
        orders=True,
        streams=True,
        body=FILE_BODY,
        statuses=("201",),
    ),
    Endpoint("GET", "/api/v1/uploads/{upload}", programs.upload),
    Endpoint(
        "POST", "/api/v1/routes/{route}/estimates/{name}", programs.estimate, orders=True, streams=True, body=FILE_BODY
    ),
)

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
"""Every endpoint."""


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
