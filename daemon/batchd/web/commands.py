"""Orders from the page or the API: read from their values, and left for the daemon as the command line does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..domain.subjects import EVERYTHING
from ..orders.leaving import Outcome, Sender, leave_orders
from ..orders.values import Approve, Cancel, Order, Pause, Purge, Resolve, Resume, Retry, SkipSink, amount
from ..status.finding import find_batch, find_jobs
from ..store.tables.orders import Door
from .answers import Refused
from .desk import VISITOR
from .guard import SETTING

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from .backend import Setting
    from .desk import Desk

JOB_ORDERS = ("approve", "cancel", "retry", "skip-sink", "purge")
MAX_WORD = 500


def job_order(state: Path, word: str, kind: str, values: Mapping[str, object]) -> Order:
    """Make the order of this kind about the job that `word` names. Raise Refused if it makes no sense."""
    if kind not in JOB_ORDERS:
        raise Refused(404, f"There is no order “{kind}” for a job. There are: {', '.join(JOB_ORDERS)}.")
    _only(values, {"approve": {"up_to"}, "skip-sink": {"sink"}}.get(kind, set()))
    [job] = find_jobs(state, [word])
    if kind == "approve":
        most = _text(values, "up_to")
        try:
            return Approve(job.id, amount(most) if most else None)
        except ValueError as error:
            raise Refused(400, f"up_to: {error}") from None
    if kind == "skip-sink":
        sink = _text(values, "sink")
        if not sink:
            raise Refused(400, "Say which sink: “sink”.")
        return SkipSink(job.id, sink)
    return {"cancel": Cancel, "retry": Retry, "purge": Purge}[kind](job.id)


def batch_order(state: Path, word: str, values: Mapping[str, object]) -> Order:
    """Make the order that says what to do with the batch that `word` names."""
    _only(values, {"found", "absent"})
    found, absent = _text(values, "found"), values.get("absent") in (True, "true", "1", "on")
    if bool(found) == absent:
        raise Refused(400, "Say either “found”, with the provider's id of the batch, or “absent”.")
    return Resolve(find_batch(state, word).key, found or None)


def pause_order(setting: Setting, values: Mapping[str, object]) -> Pause:
    """Make the order to send nothing new: at all, to a provider, or of a route. Raise Refused for an unknown name."""
    target = _paused(values)
    kind, _, name = target.partition(" ")
    known = {"provider": setting.providers, "route": list(setting.routes)}.get(kind, [])
    if name and name not in known:
        raise Refused(404, f"There is no {kind} “{name}”. There are: {', '.join(known)}.")
    return Pause(target)


def resume_order(values: Mapping[str, object]) -> Resume:
    """Make the order to send again. The daemon checks the name, which may have left the configuration meanwhile."""
    return Resume(_paused(values))


def _paused(values: Mapping[str, object]) -> str:
    """The target of an order to pause or resume, as it is stored."""
    _only(values, {"provider", "route"})
    named = [f"{kind} {name}" for kind in ("provider", "route") if (name := _text(values, kind))]
    if len(named) > 1:
        raise Refused(400, "Say either “provider” or “route”, or neither for everything.")
    return named[0] if named else EVERYTHING


async def leave(desk: Desk, request: web.Request, make: Callable[[Path], Order], door: Door) -> Outcome:
    """Leave the order that `make` makes, and wait a moment for the daemon's answer."""
    state, sender = request[SETTING].places.state, Sender(request[VISITOR].who, door)
    [outcome] = await desk.order(lambda: leave_orders(state, [make(state)], sender))
    return outcome


def _only(values: Mapping[str, object], known: set[str]) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise Refused(400, f"“{unknown[0][:MAX_WORD]}” is not known here.")


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > MAX_WORD:
        raise Refused(400, f"“{name}” must be a short text.")
    return str(value).strip()
