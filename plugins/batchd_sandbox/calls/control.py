"""The sandbox's own endpoints: the faults and the ledger."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ..faults.grammar import FaultNotUnderstood
from ..ledger import collect, distinct
from ..listening import LISTENER
from ..refusals import Refusal
from .context import CONTEXT, answer, json_body

if TYPE_CHECKING:
    from aiohttp import web


async def order_faults(request: web.Request) -> web.StreamResponse:
    """POST /sandbox/faults with {"faults": ["create:cut-after:count=2"]}: orders all of them, or none."""
    texts = (await json_body(request)).get("faults")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refusal(400, 'Expected {"faults": ["operation:kind:key=value", ...]}.', param="faults")
    orders = request.app[CONTEXT].orders
    try:
        orders.order(texts)
    except FaultNotUnderstood as reason:
        raise Refusal(400, str(reason), param="faults", code="fault_not_understood") from None
    response = answer({"faults": orders.shown()})
    if refused := orders.take("all", only="refuse"):
        # Send this answer before the listener closes.
        response.force_close()
        await response.prepare(request)
        await response.write_eof()
        request.app[LISTENER].refuse(refused.delay)
    return response


async def list_faults(request: web.Request) -> web.StreamResponse:
    """GET /sandbox/faults."""
    return answer({"faults": request.app[CONTEXT].orders.shown()})


async def lift_faults(request: web.Request) -> web.StreamResponse:
    """DELETE /sandbox/faults: lifts all faults. A batch keeps those that it was created with."""
    orders = request.app[CONTEXT].orders
    orders.lift()
    return answer({"faults": orders.shown()})


async def ledger(request: web.Request) -> web.StreamResponse:
    """GET /sandbox/ledger: what was created, executed and paid."""
    context = request.app[CONTEXT]
    facts, answered = collect(context.store, time.time())
    # Ids are compared in a thread: there may be millions, and other clients must not wait.
    facts |= await asyncio.to_thread(distinct, answered)
    facts["faults"] = context.orders.shown()
    return answer(facts)
