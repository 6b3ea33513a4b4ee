"""Faults of single lines of a batch: which lines they apply to, and how they change them."""

from __future__ import annotations

from collections import defaultdict

from ..batches.worker_messages import LineOrder
from ..refusals import Refusal, ordered_refusal, refused_for, refused_param
from .orders import in_share, marker_forms
from .table import Order


class LineFaults:
    """The faults of single lines for one batch."""

    def __init__(self, orders: tuple[LineOrder, ...]) -> None:
        self._orders = [(one, marker_forms(one.order.marker)) for one in orders if one.order.chooses_lines]
        self.met: dict[int, list[str]] = defaultdict(list)
        """The custom_ids that met each order, by its number."""

    def __bool__(self) -> bool:
        return bool(self._orders)

    def take(self, number: int, custom_id: str, raw: bytes) -> list[Order]:
        """Return the faults that apply to this line now, and record them in `met`."""
        orders = []
        for one, forms in self._orders:
            order = one.order
            if not _chosen(order, forms, number, custom_id, raw):
                continue
            if order.count is not None and one.met.get(custom_id, 0) >= order.count:
                continue
            self.met[one.number].append(custom_id)
            orders.append(order)
        return orders


def _chosen(order: Order, forms: tuple[bytes, ...], number: int, custom_id: str, raw: bytes) -> bool:
    if order.lines and not in_lines(order, number):
        return False
    if order.param and not _has_param(raw, order.param):
        return False
    if order.fraction is not None and not in_share(custom_id, order.fraction):
        return False
    return not forms or any(form in raw for form in forms)


def _has_param(raw: bytes, name: str) -> bool:
    """Whether the request in a line has this parameter."""
    if name == "role":
        return b'"role":"system"' in raw
    if name == "response_format":
        return b'"json_schema"' in raw
    return f'"{name}":'.encode() in raw


def in_lines(order: Order, number: int) -> bool:
    """Whether an order includes this line of the input."""
    return any(first <= number <= last for first, last in order.lines)


def refusal_for(order: Order) -> Refusal:
    """The error answer of a fault with a status."""
    if order.kind == "account":
        return refused_for(order.reason)
    if order.kind == "param":
        return refused_param(order.param)
    return ordered_refusal(order.status, code=order.code)
