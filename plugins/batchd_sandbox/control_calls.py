"""The sandbox's own pages: faults to order, and the ledger."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .context import CONTEXT, answer, json_asked
from .fault_grammar import FaultNotUnderstood
from .ledger import distinct, gathered
from .listening import LISTENER
from .refusals import Refusal

if TYPE_CHECKING:
    from aiohttp import web


async def order_faults(request: web.Request) -> web.StreamResponse:
    """POST /sandbox/faults with {"faults": ["create:cut-after:count=2"]}: all are ordered, or none."""
    asked = (await json_asked(request)).get("faults")
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
        raise Refusal(400, 'Expected {"faults": ["operation:kind:key=value", ...]}.', param="faults")
    orders = request.app[CONTEXT].orders
    try:
        orders.order(asked)
    except FaultNotUnderstood as reason:
        raise Refusal(400, str(reason), param="faults", code="fault_not_understood") from None
    response = answer({"faults": orders.shown()})
    if refused := orders.take("all", only="refuse"):
        # The listener goes only when this answer is out.
        response.force_close()
        await response.prepare(request)
        await response.write_eof()
        request.app[LISTENER].refuse(refused.delay)
    return response


async def list_faults(request: web.Request) -> web.StreamResponse:
    """GET /sandbox/faults."""
    return answer({"faults": request.app[CONTEXT].orders.shown()})


async def lift_faults(request: web.Request) -> web.StreamResponse:
    """DELETE /sandbox/faults: lifts all. A batch keeps what it was born with."""
    orders = request.app[CONTEXT].orders
    orders.lift()
    return answer({"faults": orders.shown()})


async def ledger(request: web.Request) -> web.StreamResponse:
    """GET /sandbox/ledger: what was created, executed and paid."""
    context = request.app[CONTEXT]
    facts, answered = gathered(context.store, time.time())
    # Ids are compared in a thread: there may be millions, and clients are waiting.
    facts |= await asyncio.to_thread(distinct, answered)
    facts["faults"] = context.orders.shown()
    return answer(facts)
