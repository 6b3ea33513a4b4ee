"""The way in: the token is typed once, then a cookie stands for it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time

from aiohttp import web

from ..answers import Refused
from ..desk import Desk
from ..guard import KEYS, ORIGIN, SESSION_COOKIE
from ..rendering import PageView, rendered
from ..tokens import SESSION, same
from ..visitor import comes_from_us

logger = logging.getLogger(__name__)

ENTRY_COOKIE = "batchd_entry"
ENTRY_FIELD = "entry"
MAX_PAUSING = 20
"""Wrong tokens that pause at a time. Meanwhile more tokens are refused at once, right or wrong."""
_pausing = asyncio.Semaphore(MAX_PAUSING)


def safe_place(place: str) -> str:
    """Return `place` if it is a path of this page; else `/`, so that it never leads elsewhere."""
    if not place.startswith("/") or place.startswith(("//", "/\\")) or any(each < "!" for each in place):
        return "/"
    return place


async def refused_page(desk: Desk, request: web.Request, refusal: Refused) -> web.Response:
    """The page of an error. A visitor without a token gets the log-in form instead, at the same address."""
    if refusal.status == 401:
        here = request.path_qs if request.method in ("GET", "HEAD") else "/"
        return await _form(desk, request, place=here, status=401)
    response = await rendered(
        desk,
        request,
        lambda page: page.render("error.jinja", time.time(), status=refusal.status, sentence=refusal.sentence),
        status=refusal.status,
    )
    response.headers.update(refusal.headers)
    return response


async def show(desk: Desk, request: web.Request) -> web.StreamResponse:
    return await _form(desk, request, place=safe_place(request.query.get("next", "/")))


async def _form(
    desk: Desk, request: web.Request, *, place: str, wrong: bool = False, status: int = 200
) -> web.Response:
    entry = secrets.token_urlsafe(18)
    keys = request[KEYS]
    faults = keys.faults

    def build(page: PageView) -> bytes:
        return page.render(
            "entry.jinja",
            time.time(),
            entry=entry,
            place=safe_place(place),
            wrong=wrong,
            faults=faults,
            no_token=not keys.keys,
            config=page.setting.places.config.name,
        )

    response = await rendered(desk, request, build, status=status)
    response.set_cookie(
        ENTRY_COOKIE, entry, httponly=True, samesite="Strict", secure=request[ORIGIN].secure, path="/login"
    )
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="batchd"'
    return response


async def enter(desk: Desk, request: web.Request) -> web.StreamResponse:
    """`POST /login`: a cookie for a token."""
    form = await request.post()
    entry = request.cookies.get(ENTRY_COOKIE, "")
    if not comes_from_us(request) or not entry or not same(str(form.get(ENTRY_FIELD, "")), entry):
        raise Refused(403, "This form is too old, or came from another site. Load the page again.")
    keys = request[KEYS]
    place = safe_place(str(form.get("next", "/")))
    if _pausing.locked():
        raise Refused(429, "Too many wrong tokens. Try again in a moment.", headers={"Retry-After": "5"})
    key = keys.key_of(str(form.get("token", "")))
    if key is None:
        logger.warning("A wrong token was typed on the page, at %s.", request[ORIGIN].peer, extra={"action": "Web"})
        async with _pausing:
            await asyncio.sleep(desk.pause)
        return await _form(desk, request, place=place, wrong=True, status=403)
    response = web.Response(status=303, headers={"Location": place})
    response.set_cookie(
        SESSION_COOKIE,
        keys.session(key),
        max_age=int(SESSION),
        httponly=True,
        samesite="Strict",
        secure=request[ORIGIN].secure,
        path="/",
    )
    return response


async def leave(_desk: Desk, request: web.Request) -> web.StreamResponse:
    """`POST /logout`: this browser is asked for the token again."""
    response = web.Response(status=303, headers={"Location": "/login"})
    response.del_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="Strict", secure=request[ORIGIN].secure)
    return response
