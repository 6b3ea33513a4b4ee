"""The JSON API: what the pages show and order, for programs. Keys are only ever added."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from .. import __version__
from ..status import spending as spent
from ..status.listing import MAX_PAGE_SIZE, BatchList, JobList
from ..status.story import record as event_record
from ..status.story import story
from ..status.telling import JobStory
from ..store.tables.orders import Door
from .answers import Refused, as_json, number_in
from .commands import batch_order, job_order, leave, pause_order, resume_order
from .desk import VISITOR
from .guard import MAX_FORM, SETTING
from .pages.jobs import wanted_of
from .receiving import receive

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from ..orders.values import Order
    from .desk import Desk

MAX_EVENTS = 1_000


async def about(_desk: Desk, request: web.Request) -> web.StreamResponse:
    """The version of batchd, and what the token lets do."""
    return as_json({"batchd": __version__, "role": request[VISITOR].role.value, "title": request[SETTING].web.title})


async def jobs(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Jobs, a page at a time, with what keeps batchd waiting."""
    size = number_in(request.query, "size", wanted_of({}).size, most=MAX_PAGE_SIZE)
    group = request.query.get("group")
    wanted = wanted_of(request.query, size=size)
    if group and wanted.group is None:
        raise Refused(400, f"There is no group “{group[:100]}”.")
    return as_json(await desk.read(lambda: JobList.take(request[SETTING].places, wanted).record()))


async def job(desk: Desk, request: web.Request) -> web.StreamResponse:
    """One job: an id, the first characters of one, or the name of its file."""
    word, places = request.match_info["job"], request[SETTING].places
    return as_json(await desk.read(lambda: JobStory.take(places, word).record()))


async def events(desk: Desk, request: web.Request) -> web.StreamResponse:
    """The events of a job, at most 1,000."""
    word, state = request.match_info["job"], request[SETTING].places.state
    first = number_in(request.query, "offset", 0, most=10**9)

    def look() -> dict[str, Any]:
        told = story(state, word)
        page = told[first : first + MAX_EVENTS]
        return {"total": len(told), "offset": first, "events": [event_record(each) for each in page]}

    return as_json(await desk.read(look))


async def batches(desk: Desk, request: web.Request) -> web.StreamResponse:
    """The batches that are not done."""
    return as_json(await desk.read(lambda: BatchList.take(request[SETTING].places).record()))


async def conditions(desk: Desk, request: web.Request) -> web.StreamResponse:
    """What keeps batchd waiting, and what to do."""
    return as_json(await desk.read(lambda: BatchList.take(request[SETTING].places, most=0).around.frame()))


async def spending(desk: Desk, request: web.Request) -> web.StreamResponse:
    """What was spent, and what is left of the budget."""
    by, places = request.query.get("by") or "day", request[SETTING].places
    if by not in spent.GROUPS:
        raise Refused(400, f"“by” must be one of {', '.join(spent.GROUPS)}.")
    days = number_in(request.query, "days", 0, most=3_660)
    now = time.time()

    def look() -> dict[str, Any]:
        since = now - days * 86_400 if days else None
        sums, limits = spent.sums(places.state, by, since=since), spent.limits(places, now)
        return {
            "by": by,
            "currency": places.currency,
            "sums": [spent.record(by, each) for each in sums],
            "limits": [spent.limit_record(each, places.currency) for each in limits],
        }

    return as_json(await desk.read(look))


async def routes(_desk: Desk, request: web.Request) -> web.StreamResponse:
    """The routes, with what each takes."""
    setting = request[SETTING]
    return as_json(
        {
            "max_upload": setting.web.max_upload,
            "routes": [{"name": name, "match": list(match)} for name, match in setting.routes.items()],
        }
    )


async def order_job(desk: Desk, request: web.Request) -> web.StreamResponse:
    """An order: approve (up_to), cancel, retry, skip-sink (sink), purge."""
    values, told = await _values(request), request.match_info
    return await _left(desk, request, lambda state: job_order(state, told["job"], told["order"], values))


async def resolve_batch(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Decide about a held batch: found (its id), or absent (true)."""
    values = await _values(request)
    return await _left(desk, request, lambda state: batch_order(state, request.match_info["batch"], values))


async def pause(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Send nothing new: to a provider (provider), of a route (route), or at all."""
    order = pause_order(request[SETTING], await _values(request))
    return await _left(desk, request, lambda _: order)


async def resume(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Send again: what was paused under this name (provider, route), or all that is paused."""
    order = resume_order(await _values(request))
    return await _left(desk, request, lambda _: order)


async def _left(desk: Desk, request: web.Request, make: Callable[[Path], Order]) -> web.Response:
    outcome = await leave(desk, request, make, Door.API)
    # 409: nothing is wrong with the request, but with the state of the job. 202: the order is kept until its answer.
    status = 409 if outcome.refused else 200 if outcome.answered else 202
    return as_json(outcome.record(), status=status)


async def put_file(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Put a file into the inbox, for this route; the body is the file."""
    received = await receive(
        desk, request, request.match_info["route"], request.match_info["name"], request.content.read
    )
    return as_json({"place": received.place, "bytes": received.size, "upload": received.word}, status=201)


async def _values(request: web.Request) -> Mapping[str, object]:
    """The body of an order: a JSON object, or nothing."""
    body = await request.content.read(MAX_FORM + 1)
    while len(body) <= MAX_FORM and (more := await request.content.read(MAX_FORM + 1 - len(body))):
        body += more
    if len(body) > MAX_FORM:
        raise Refused(413, "That is too large for an order.")
    if not body.strip():
        return {}
    if request.content_type != "application/json":
        raise Refused(415, "Send JSON, as application/json.")
    try:
        values = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(values, dict):
        raise Refused(400, "The body must be an object.")
    return values
