"""The HTTP server: its routes, and the faults that replace or change an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from .batches.runner import Runner
from .batches.worker_process import Process, Worker
from .calls import accounts
from .calls import control as control_calls
from .calls import live as live_calls
from .calls import of_batches as batch_calls
from .calls import of_files as file_calls
from .calls.accounts import ACCOUNT
from .calls.connections import reset, send_endless
from .calls.context import CONTEXT, ORDER, Context, new_id, refuse
from .faults.file_shapes import SHAPES_OF_FILES
from .faults.hostile import HOSTILE
from .faults.orders import Orders
from .faults.table import Order
from .listening import LISTENER, Listener
from .refusals import Refusal, no_key, no_such_batch, no_such_file, ordered_refusal, refused_for, wrong_key
from .settings import SandboxSettings
from .store import Store

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The faults that a handler carries out itself, since they happen in the middle of its work.
_INSIDE = {
    ("upload", "cut"),
    ("create", "late"),
    ("create", "twice"),
    ("retrieve", "no-files"),
    ("content", "cut"),
    ("content", "short"),
    ("content", "other"),
    *(("content", kind) for kind in SHAPES_OF_FILES),
    ("content", "slow"),
    ("chat", "length"),
    ("chat", "empty"),
}

_HTML = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Route:
    """One call under /v1. Faults and the ledger use the name of its operation."""

    method: str
    path: str
    operation: str
    handler: Handler


ROUTES = (
    Route("POST", "/v1/files", "upload", file_calls.upload),
    Route("GET", "/v1/files", "files-list", file_calls.files_list),
    Route("GET", "/v1/files/{file_id}", "file", file_calls.file),
    Route("GET", "/v1/files/{file_id}/content", "content", file_calls.content),
    Route("DELETE", "/v1/files/{file_id}", "delete", file_calls.delete),
    Route("POST", "/v1/batches", "create", batch_calls.create),
    Route("GET", "/v1/batches", "list", batch_calls.batches_list),
    Route("GET", "/v1/batches/{batch_id}", "retrieve", batch_calls.retrieve),
    Route("POST", "/v1/batches/{batch_id}/cancel", "cancel", batch_calls.cancel),
    Route("GET", "/v1/models", "models", live_calls.models_list),
    Route("GET", "/v1/models/{model}", "models", live_calls.model),
    Route("POST", "/v1/chat/completions", "chat", live_calls.chat),
    Route("POST", "/v1/responses", "chat", live_calls.chat),
    Route("POST", "/v1/embeddings", "chat", live_calls.chat),
)


def _guarded(route: Route) -> Handler:
    """The handler with the checks and faults around it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        context = request.app[CONTEXT]
        context.store.count_call(route.operation)
        if order := context.orders.take("all", but="refuse"):
            return _fault_answer(request, order)
        key = _key(request)
        if context.orders.take("auth", body=key.encode()):
            raise wrong_key(key)
        if context.settings.api_keys and key not in context.settings.api_keys:
            raise wrong_key(key) if key else no_key()
        request[ACCOUNT] = accounts.account_of(request, key)
        accounts.require_own(request)
        body = await request.read() if request.content_type == "application/json" else None
        order = context.orders.take(route.operation, but="no-range", body=body)
        if order is None:
            return await route.handler(request)
        if (route.operation, order.kind) in _INSIDE:
            request[ORDER] = order
            return await route.handler(request)
        return await _with_fault(request, route, order)

    return handle


async def _with_fault(request: web.Request, route: Route, order: Order) -> web.StreamResponse:
    if order.kind == "slow":
        await asyncio.sleep(order.delay)
        return await route.handler(request)
    if order.kind == "endless":
        return await send_endless(request)
    if order.kind == "silence":
        await asyncio.sleep(order.delay)
        return reset(request)
    if order.kind == "timeout":
        response = await route.handler(request)
        await asyncio.sleep(order.delay)
        return response
    if order.kind.endswith("-after"):
        await route.handler(request)
    return _fault_answer(request, order)


def _fault_answer(request: web.Request, order: Order) -> web.Response:
    """The answer of a fault, in place of the real one."""
    kind = order.kind.removesuffix("-after")
    if kind == "cut":
        return reset(request)
    if kind == "account":
        return refuse(refused_for(order.reason))
    if kind in HOSTILE:
        return HOSTILE[kind](request)
    if kind == "html":
        return web.Response(text=_HTML, content_type="text/html")
    if kind == "404" and order.code is None:
        return refuse(_not_found(request))
    return refuse(ordered_refusal(int(kind), code=order.code, retry_after=order.retry_after))


def _not_found(request: web.Request) -> Refusal:
    if batch_id := request.match_info.get("batch_id"):
        return no_such_batch(batch_id)
    if file_id := request.match_info.get("file_id"):
        return no_such_file(file_id)
    return _unknown_address(request)


def _unknown_address(request: web.Request) -> Refusal:
    return Refusal(
        404,
        f"Unknown request URL: {request.method} {request.path}. Please check the URL for typos.",
        code="unknown_url",
    )


def _key(request: web.Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refuse(refusal)
    except ConnectionResetError:
        # The client closed the connection during its call, which is not an error of the server.
        return web.Response(status=499)
    except web.HTTPNotFound:
        return refuse(_unknown_address(request))
    except web.HTTPMethodNotAllowed:
        return refuse(Refusal(405, f"Not allowed to {request.method} on {request.path}.", code="method_not_allowed"))


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault("x-request-id", new_id("req_"))


def _application(context: Context) -> web.Application:
    # The limit holds for bodies that are read into memory; uploads are streamed.
    application = web.Application(middlewares=[_errors_as_json], client_max_size=64 * 1024 * 1024)
    application[CONTEXT] = context
    application.on_response_prepare.append(_add_headers)
    for route in ROUTES:
        if not context.settings.batches and route.path.startswith(("/v1/files", "/v1/batches")):
            continue
        application.router.add_route(route.method, route.path, _guarded(route))
    application.router.add_get("/sandbox/faults", control_calls.list_faults)
    application.router.add_post("/sandbox/faults", control_calls.order_faults)
    application.router.add_delete("/sandbox/faults", control_calls.lift_faults)
    application.router.add_get("/sandbox/ledger", control_calls.ledger)
    return application


@asynccontextmanager
async def serving(settings: SandboxSettings, *, spare: list[Process] | None = None) -> AsyncIterator[str]:
    """Serves while the block runs; yields the base URL, such as `http://127.0.0.1:8089/v1`.

    Raises FolderTaken, FaultNotUnderstood, or OSError if the port is in use. `spare` is passed to Worker.
    """
    store = Store(settings.folder)
    worker = Worker(spare)
    batches = Runner(store, worker, settings)
    try:
        orders = Orders(store, settings.faults)
        application = _application(Context(settings, store, orders, batches))
        server = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        listener = Listener(server, settings.host, settings.port)
        application[LISTENER] = listener
        try:
            await server.setup()
            await listener.open()
            worker.start()
            batches.start()
            if refused := orders.take("all", only="refuse"):
                listener.refuse(refused.delay)
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            yield f"http://{host}:{listener.port}/v1"
        finally:
            await listener.close()
            await server.cleanup()
    finally:
        await batches.close()
        worker.close()
        store.close()
