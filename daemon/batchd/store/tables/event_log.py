"""Events, orders and conditions: what happened, what people ask for, what keeps the daemon waiting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...domain.states import Trial
from ...domain.subjects import Subject
from ...events import ConditionCleared, ConditionRaised, Event, OrderGiven, OrderRefused
from ..database import Transaction
from .orders import StoredOrder, stored_order
from .table import StoreTable, change


class EventLog(StoreTable):
    """The tables `events`, `orders`, `conditions`, `heartbeat`."""

    async def record(self, *events: Event) -> None:
        """Write events that go with no other change."""
        await self._database.write(lambda tx: tx.record(*events))

    async def orders(self) -> list[StoredOrder]:
        """Orders not carried out yet, in the order they came."""
        return [stored_order(row) for row in await self._rows("open_orders")]

    @change
    def answer(self, tx: Transaction, order: StoredOrder, answer: str, *, refused: bool = False) -> None:
        """The order is carried out, or refused; `answer` is a sentence for the person who gave it."""
        tx.update("orders", {"id": order.id}, done_at=tx.now, answer=answer, refused=int(refused))
        job = order.target if tx.fetch("job", id=order.target) else None
        batch = order.target if tx.fetch("batch", key=order.target) else None
        # The data of a try is all that it asks: the event leaves it out.
        what = {} if order.kind == Trial.TRY else order.data
        if job is None and batch is None:
            what = {**what, "of": order.target}
        given = OrderGiven(
            job=job, batch=batch, order=order.kind, who=order.who, door=order.door, given=order.at, what=what
        )
        tx.record(given)
        if refused:
            # If the order was given while no daemon was running, its command has ended already.
            tx.record(OrderRefused(job=job, batch=batch, order=order.kind, reason=answer))

    async def conditions(self) -> dict[Subject, str]:
        """The current conditions: subject to sentence."""
        return {Subject.parse(row["subject"]): row["text"] for row in await self._rows("conditions")}

    async def raise_condition(self, subject: Subject, text: str) -> None:
        """Store a condition. If the subject has one already, only its words change, without an event."""
        await self.change_conditions({subject: text})

    @change
    def renew_condition(self, tx: Transaction, subject: Subject, text: str) -> None:
        """A condition that an earlier process left was found again: it counts from this moment, without an event."""
        tx.run("renew_condition", subject=str(subject), text=text, since=tx.now)

    async def clear_condition(self, subject: Subject) -> None:
        """The condition is over."""
        await self.change_conditions({}, over=[subject])

    @change
    def change_conditions(self, tx: Transaction, raised: Mapping[Subject, str], over: Iterable[Subject] = ()) -> None:
        """Raise several conditions at once, subject to sentence, and clear those in `over`."""
        known = {Subject.parse(row["subject"]) for row in tx.fetch("conditions")}
        for subject, text in raised.items():
            tx.run("raise_condition", subject=str(subject), text=text, since=tx.now)
            if subject not in known:
                tx.record(ConditionRaised(subject=str(subject), text=text))
        for subject in over:
            if tx.run("clear_condition", subject=str(subject)):
                tx.record(ConditionCleared(subject=str(subject)))

    async def beat(self, pid: int) -> None:
        """Prove that the database can be written."""
        await self._database.write(lambda tx: tx.run("heartbeat", at=tx.now, pid=pid))
