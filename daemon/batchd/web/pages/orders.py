"""Buttons: orders and uploads from a browser. The next page shows their outcome."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from ...domain.subjects import EVERYTHING
from ...store.tables.orders import Door
from ..answers import Refused
from ..commands import batch_order, job_order, leave, pause_order, resume_order
from ..desk import VISITOR
from ..guard import FORM_FIELD, SETTING
from ..receiving import from_form
from ..rendering import PageView, rendered
from .entry import safe_place

if TYPE_CHECKING:
    from ...orders.leaving import Outcome
    from ..desk import Desk

BACK = "back"


async def order_job(desk: Desk, request: web.Request) -> web.StreamResponse:
    values, told = await _values(request), request.match_info
    outcome = await leave(desk, request, lambda state: job_order(state, told["job"], told["order"], values), Door.PAGE)
    return _next(desk, f"/jobs/{outcome.order.target}", outcome)


async def resolve_batch(desk: Desk, request: web.Request) -> web.StreamResponse:
    values = await _values(request)
    job, batch = values.pop(BACK, ""), request.match_info["batch"]
    outcome = await leave(desk, request, lambda state: batch_order(state, batch, values), Door.PAGE)
    return _next(desk, f"/jobs/{quote(job, safe='')}" if job else "/batches", outcome)


async def pause(desk: Desk, request: web.Request) -> web.StreamResponse:
    """`POST /pause`: `what` is `everything`, `provider NAME` or `route NAME`."""
    values, back = await _sending(request)
    order = pause_order(request[SETTING], values)
    return _next(desk, back, await leave(desk, request, lambda _: order, Door.PAGE))


async def resume(desk: Desk, request: web.Request) -> web.StreamResponse:
    values, back = await _sending(request)
    order = resume_order(values)
    return _next(desk, back, await leave(desk, request, lambda _: order, Door.PAGE))


async def _values(request: web.Request) -> dict[str, str]:
    return {key: str(value) for key, value in (await request.post()).items() if key != FORM_FIELD and value}


async def _sending(request: web.Request) -> tuple[dict[str, str], str]:
    form = await _values(request)
    what = form.get("what", "")
    kind, _, name = what.partition(" ")
    if not name and what != EVERYTHING:
        raise Refused(400, "Say what: everything, a provider, or a route.")
    return {kind: name} if name else {}, safe_place(form.get(BACK, "/"))


def _next(desk: Desk, place: str, outcome: Outcome) -> web.Response:
    note = desk.keep_note(outcome.text, refused=outcome.refused)
    return web.Response(status=303, headers={"Location": f"{place}?note={note}"})


async def show_upload(desk: Desk, request: web.Request) -> web.StreamResponse:
    def build(page: PageView) -> bytes:
        setting = page.setting
        return page.render("upload.jinja", time.time(), routes=setting.routes, largest=setting.web.max_upload)

    return await rendered(desk, request, build)


async def upload(desk: Desk, request: web.Request) -> web.StreamResponse:
    received = await from_form(desk, request, request[VISITOR])
    page = PageView.of(desk, request)
    text = page.words(0.0).say("uploaded", file=received.place)
    note = desk.keep_note(text, refused=False)
    return web.Response(status=303, headers={"Location": f"/upload?note={note}"})
