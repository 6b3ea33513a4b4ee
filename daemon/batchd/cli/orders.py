"""`batchd approve`, `cancel`, `retry`, `resolve`: orders, left in the database for the daemon to carry out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from ..status.formatting import clean
from .call import Call, json_option, pass_call
from .naming import complete_any, complete_unfinished

if TYPE_CHECKING:
    from ..status.places import Places

ANSWER_WITHIN = 3.0
"""Seconds to wait for the daemon's answer. It looks for orders once a second."""

MAX_DIGITS = 18
"""Of an amount of money: more digits must be a mistake."""


@dataclass(frozen=True, slots=True)
class _Order:
    kind: str
    target: str
    data: Mapping[str, Any] = field(default_factory=dict)


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_unfinished)
@click.option("--up-to", metavar="AMOUNT", help="Allow no more than this in all, in units of the currency.")
@json_option
@pass_call
def approve(call: Call, jobs: Sequence[str], up_to: str | None, *, as_json: bool) -> int:
    """Let held jobs go on.

    batchd holds a job before it sends anything if the job could cost more than its budget allows, or if its cost is
    not known. This approves the most that it can cost, as `batchd status JOB` shows it, and no more: if questions
    must be asked again and that could cost more, the job is held again. JOB is an id, its first characters, or the
    name of the dropped file.

    \b
    Examples:
      batchd approve may.csv
      batchd approve k3j9x2ab --up-to 12.50
    """
    data = {} if up_to is None else {"up_to": _amount(up_to)}
    return _leave(call, [_Order("approve", job, data) for job in _ids(call, jobs)], as_json=as_json)


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_unfinished)
@json_option
@pass_call
def cancel(call: Call, jobs: Sequence[str], *, as_json: bool) -> int:
    """Cancel jobs. The answers that are there already are delivered.

    JOB is an id, its first characters, or the name of the dropped file. Rows without an answer are marked as skipped;
    `batchd retry` asks them later.

    A batch that the provider already has is cancelled there, unless other jobs share it.

    \b
    Examples:
      batchd cancel k3j9x2ab
    """
    return _leave(call, [_Order("cancel", job) for job in _ids(call, jobs)], as_json=as_json)


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_any)
@json_option
@pass_call
def retry(call: Call, jobs: Sequence[str], *, as_json: bool) -> int:
    """Ask failed and skipped rows again.

    A stopped job goes on where it stopped. Rows that have an answer are not asked again and not paid again. The new
    results stand beside the first ones. JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd retry may.csv
    """
    return _leave(call, [_Order("retry", job) for job in _ids(call, jobs)], as_json=as_json)


@click.command()
@click.argument("batch")
@click.option("--found", metavar="REMOTE_ID", help="The provider has it, under this id: go on with that one.")
@click.option("--absent", is_flag=True, help="The provider certainly does not have it: create it.")
@json_option
@pass_call
def resolve(call: Call, batch: str, *, found: str | None, absent: bool, as_json: bool) -> int:
    """Say whether the provider has a batch that is held.

    batchd holds a batch when it would have to guess: the connection broke while the batch was created, and the
    provider cannot look it up. Look at the provider's own list first: a batch that is created twice is paid twice.

    \b
    Examples:
      batchd resolve 7f3k9x2a --found batch_68ab
      batchd resolve 7f3k9x2a --absent
    """
    if absent == bool(found):
        raise click.UsageError("Say either --found REMOTE_ID or --absent.")
    from ..status.finding import find_batch

    key = find_batch(call.places().state, batch).key
    return _leave(call, [_Order("resolve", key, {"found": found} if found else {"absent": True})], as_json=as_json)


def _amount(text: str) -> str:
    from decimal import Decimal, InvalidOperation

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0 or amount.adjusted() > MAX_DIGITS:
        raise click.BadParameter("Write an amount of money such as 12.50.", param_hint="'--up-to'")
    return str(amount)


def _ids(call: Call, words: Sequence[str]) -> list[str]:
    """All of them are found before the first order is left."""
    from ..status.finding import find_jobs

    return [job.id for job in find_jobs(call.places().state, words)]


def _leave(call: Call, orders: Sequence[_Order], *, as_json: bool) -> int:
    """Leave them and print the answers: 1 if the daemon refused one."""
    from ..status.daemon import answer_to, leave_order, running

    places = call.places()
    numbers = [leave_order(places.state, order.kind, order.target, order.data, at=time.time()) for order in orders]
    awake = running(places.state) is not None
    deadline = time.monotonic() + ANSWER_WITHIN
    told = []
    for order, number in zip(orders, numbers, strict=True):
        within = max(0.0, deadline - time.monotonic()) if awake else 0.0
        answer = answer_to(places.state, number, within=within)
        told.append(
            {
                "order": number,
                "kind": order.kind,
                "target": order.target,
                "answered": answer is not None,
                "refused": answer is not None and answer.refused,
                "answer": answer.text if answer is not None else _no_answer(order, places, awake=awake),
            }
        )
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for each in told:
            text = clean(str(each["answer"]))
            click.echo(f"batchd: {text}" if each["refused"] else text, err=bool(each["refused"]))
    return 1 if any(each["refused"] for each in told) else 0


def _no_answer(order: _Order, places: Places, *, awake: bool) -> str:
    whom = f"{'batch' if order.kind == 'resolve' else 'job'} {order.target}"
    if awake:
        return (
            f"The daemon has not answered within {ANSWER_WITHIN:.0f} s. It will {order.kind} {whom} as soon as it can."
        )
    return (
        f"No daemon is running. It will {order.kind} {whom} when it is started: batchd run\n"
        f"(The order is kept in {places.state}.)"
    )
