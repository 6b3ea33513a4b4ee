"""Faults that befall single lines of a batch: who is chosen, and what a line looks like then."""

from __future__ import annotations

from collections import defaultdict

from .answering import Twist
from .faults import Order
from .jobs import LineOrder
from .orders import in_share, marker_forms
from .refusals import Refusal, ordered_refusal


class LineFaults:
    """The orders for chosen lines of one batch."""

    def __init__(self, orders: tuple[LineOrder, ...]) -> None:
        self._orders = [(one, _marker_forms(one.order)) for one in orders if one.order.chooses_lines]
        self.met: dict[int, list[str]] = defaultdict(list)
        """Which custom_ids met which order, by its number."""

    def __bool__(self) -> bool:
        return bool(self._orders)

    def befalling(self, number: int, custom_id: str, raw: bytes) -> list[Order]:
        """The faults that this line meets now, and is noted to have met."""
        befalling = []
        for one, forms in self._orders:
            order = one.order
            if not _chosen(order, forms, number, custom_id, raw):
                continue
            if order.count is not None and one.met.get(custom_id, 0) >= order.count:
                continue
            self.met[one.number].append(custom_id)
            befalling.append(order)
        return befalling


def _marker_forms(order: Order) -> tuple[bytes, ...]:
    return () if order.marker is None else marker_forms(order.marker)


def _chosen(order: Order, forms: tuple[bytes, ...], number: int, custom_id: str, raw: bytes) -> bool:
    if order.lines and not in_lines(order, number):
        return False
    if order.fraction is not None and not in_share(custom_id, order.fraction):
        return False
    return not forms or any(form in raw for form in forms)


def in_lines(order: Order, number: int) -> bool:
    """Whether an order names this line of the input."""
    return any(first <= number <= last for first, last in order.lines)


def twist_of(orders: list[Order]) -> Twist:
    """How these faults bend the answer's text."""
    kinds = {order.kind for order in orders}
    return Twist(
        separators="separators" in kinds,
        length="length" in kinds,
        empty="empty" in kinds,
        half_pair="half-pair" in kinds,
    )


def refusal_for(order: Order) -> Refusal:
    """The error answer that a fault with a status gives."""
    return ordered_refusal(order.status, code=order.code)
