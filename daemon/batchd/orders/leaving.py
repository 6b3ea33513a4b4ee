"""Leaving orders for the daemon, and waiting for what it answers."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..status.daemon import running
from ..store.tables.orders import Answer, Door, answer_to, leave
from .values import Order

ANSWER_WITHIN = 3.0
"""Seconds to wait for the daemon's answer. It looks for orders once a second."""
ASK_EVERY = 0.05


class Sender(Struct, frozen=True):
    """Who gives an order, and in which way."""

    who: str
    door: Door

    @classmethod
    def on_the_command_line(cls) -> Sender:
        """The user that this process runs as."""
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = str(os.geteuid())  # in a container the user need not have a name
        return cls(name, Door.COMMAND_LINE)


class Outcome(Struct, frozen=True):
    """The outcome of one order: `text` is the answer, or says where the order waits for one."""

    number: int
    order: Order
    answered: bool
    refused: bool
    text: str

    def record(self) -> dict[str, Any]:
        """The outcome for `--json`."""
        return {
            "order": self.number,
            "kind": self.order.kind,
            "target": self.order.target,
            "answered": self.answered,
            "refused": self.refused,
            "answer": self.text,
        }


def leave_orders(
    state: Path, orders: Sequence[Order], sender: Sender, *, answer_within: float = ANSWER_WITHIN
) -> list[Outcome]:
    """Leave all orders, then wait for the answers if a daemon runs. Each is carried out once, now or at its start."""
    numbers = [
        leave(state, order.kind, order.target, order.data(), at=time.time(), who=sender.who, door=sender.door)
        for order in orders
    ]
    awake = running(state) is not None
    deadline = time.monotonic() + (answer_within if awake else 0.0)
    outcomes = []
    for order, number in zip(orders, numbers, strict=True):
        answer = _wait_for(state, number, deadline)
        text = answer.text if answer is not None else _no_answer(order, state, awake=awake, waited=answer_within)
        outcomes.append(Outcome(number, order, answer is not None, answer is not None and answer.refused, text))
    return outcomes


def _wait_for(state: Path, order: int, deadline: float) -> Answer | None:
    while True:
        answer = answer_to(state, order)
        if answer is not None or time.monotonic() >= deadline:
            return answer
        time.sleep(ASK_EVERY)


def _no_answer(order: Order, state: Path, *, awake: bool, waited: float) -> str:
    whose = {"resolve": "batch ", "pause": "", "resume": ""}.get(order.kind, "job ")
    target = f"{whose}{order.target}"
    if awake:
        return f"The daemon has not answered within {waited:.0f} s. It will {order.kind} {target} as soon as it can."
    return (
        f"No daemon is running. It will {order.kind} {target} when it is started: batchd run\n"
        f"(The order is kept in {state}.)"
    )
