"""Who gets in: what every request passes before its handler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from ..errors import BatchdError, StateUnusable
from ..status.finding import NotFound
from .answers import HEADERS, Refused, as_json
from .backend import NoResults, Setting
from .desk import DESK, VISITOR, Busy, Desk
from .endpoints import Endpoint
from .tokens import KnownTokens, WebRole, same
from .visitor import RequestOrigin, Visitor, comes_from_us, host_is_ours, origin_of

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)

SESSION_COOKIE = "batchd_session"
FORM_FIELD = "form_token"
FORM_HEADER = "X-Form-Token"
ANSWER_WITHIN = 30.0
"""Seconds for a request that is no stream."""
MAX_FORM = 64_000
"""Bytes of a body that is no upload."""
SAFE = frozenset({"GET", "HEAD"})
_USUAL = {404: "There is no such page.", 405: "This address does not take that.", 413: "That is too large."}
_STATUSES: Mapping[type[BatchdError], int] = {NotFound: 404, NoResults: 409, StateUnusable: 503}

ENDPOINTS: web.AppKey[Mapping[tuple[str, str], Endpoint]] = web.AppKey("endpoints", Mapping)
SETTING: web.RequestKey[Setting] = web.RequestKey("setting", Setting)
KEYS: web.RequestKey[KnownTokens] = web.RequestKey("keys", KnownTokens)
STARTED: web.RequestKey[bool] = web.RequestKey("started", bool)
ORIGIN: web.RequestKey[RequestOrigin] = web.RequestKey("origin", RequestOrigin)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every answer has."""
    request[STARTED] = True
    response.headers.pop("Server", None)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what may not pass, and turn every error into an answer in words. No error here ends the daemon."""
    endpoint = endpoint_of(request)
    try:
        async with asyncio.timeout(None if endpoint is not None and endpoint.streams else ANSWER_WITHIN):
            await _admit(request, endpoint)
            return await handler(request)
    except Refused as refusal:
        return await _refusal(request, refusal)
    except BatchdError as why:
        status = next((status for kind, status in _STATUSES.items() if isinstance(why, kind)), 400)
        return await _refusal(request, Refused(status, str(why), headers={"Retry-After": "5"} if status == 503 else {}))
    except Busy:
        return await _refusal(
            request, Refused(503, "Too many requests at once. Try again in a moment.", headers={"Retry-After": "2"})
        )
    except TimeoutError:
        return await _refusal(request, Refused(503, "This took too long.", headers={"Retry-After": "5"}))
    except web.HTTPException as other:
        if other.status < 400:
            raise
        allowed = {"Allow": other.headers["Allow"]} if "Allow" in other.headers else {}
        return await _refusal(
            request, Refused(other.status, _USUAL.get(other.status, str(other.reason)), headers=allowed)
        )
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as fault:
        logger.error("The page has a fault: %s: %s", type(fault).__name__, fault, extra={"action": "Web"})
        logger.debug("where", exc_info=fault)
        return await _refusal(request, Refused(500, "This page has a fault, which is in the log."))


def endpoint_of(request: web.Request) -> Endpoint | None:
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[ENDPOINTS].get((method, resource.canonical))


async def _admit(request: web.Request, endpoint: Endpoint | None) -> None:
    desk = request.app[DESK]
    if endpoint is not None and endpoint.path == "/healthz":
        return
    setting, keys = await desk.known()
    request[SETTING], request[KEYS] = setting, keys
    if not host_is_ours(request.headers.get("Host", ""), setting.web, desk.address):
        raise Refused(421, "This page has another address. [web] hosts lists the addresses that it has.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415, "Send it as it is, without Content-Encoding.")
    origin = request[ORIGIN] = origin_of(request, setting.web.trusted_proxies)
    visitor = _visitor(request, desk, keys, origin)
    if visitor is not None:
        request[VISITOR] = visitor
    if endpoint is not None and endpoint.open:
        return
    if visitor is None:
        raise Refused(401, "This needs a token.", headers={"WWW-Authenticate": 'Bearer realm="batchd"'})
    if endpoint is None:
        return
    if endpoint.orders and not visitor.role.may_order:
        raise Refused(403, "Your token lets you read, but not give orders.")
    if request.method not in SAFE and visitor.browser:
        await require_our_form(request, visitor, receives=endpoint.receives)


def _visitor(request: web.Request, desk: Desk, keys: KnownTokens, origin: RequestOrigin) -> Visitor | None:
    bearer = request.headers.get("Authorization")
    if bearer is not None:
        # A wrong bearer token does not fall back to a cookie.
        scheme, _, token = bearer.partition(" ")
        key = keys.key_of(token) if scheme.lower() == "bearer" else None
        return None if key is None else Visitor(key.role, _who(origin), key)
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie is not None:
        key = keys.key_of_session(cookie)
        if key is not None:
            return Visitor(key.role, _who(origin), key, cookie, browser=True)
    if desk.address.socket is not None and not keys.keys and not keys.faults:
        # Those who may open the socket, by the mode of its file, may do everything. They may still use a browser.
        browser = "Sec-Fetch-Site" in request.headers or "Origin" in request.headers
        return Visitor(WebRole.ORDER, _who(origin), desk.socket_key, browser=browser)
    return None


def _who(origin: RequestOrigin) -> str:
    """The sender's name for a job's events. Two tokens do not tell people apart; their address does a little."""
    return origin.user or f"Someone at {origin.peer or 'an unknown address'}"


async def require_our_form(request: web.Request, visitor: Visitor, *, receives: bool) -> None:
    """Refuse what another site made a browser send, since a browser adds the cookie by itself."""
    if not comes_from_us(request):
        raise Refused(403, "This came from another site, so nothing was done.")
    given = request.headers.get(FORM_HEADER)
    if given is None and receives:
        return  # its handler reads the form, and calls require_form_token
    if given is None and request.content_type == "application/x-www-form-urlencoded":
        given = str((await request.post()).get(FORM_FIELD, ""))
    require_form_token(request, visitor, given or "")


def require_form_token(request: web.Request, visitor: Visitor, given: str) -> None:
    """Refuse a form that was not made for this session."""
    if not same(given, request[KEYS].form_token(visitor.key, visitor.cookie)):
        raise Refused(403, "This form is too old. Go back, load the page again, then repeat it.")


async def _refusal(request: web.Request, refusal: Refused) -> web.StreamResponse:
    if STARTED in request:
        # The answer has begun, and words would be taken for part of the file. Break the connection off instead.
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError(refusal.sentence)
    if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        record = {"error": {"status": refusal.status, "message": refusal.sentence}}
        return as_json(record, status=refusal.status, headers=refusal.headers)
    from .pages.entry import refused_page

    if request.get(SETTING) is not None:
        # If too many requests wait already, a page that says so cannot be rendered either.
        with contextlib.suppress(Busy):
            return await refused_page(request.app[DESK], request, refusal)
    return web.Response(status=refusal.status, text=refusal.sentence, headers=refusal.headers)
