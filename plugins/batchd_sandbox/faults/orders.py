"""The ordered faults, and which calls and batches they apply to."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ..store import Store
from .grammar import parse
from .table import Order


@dataclass(slots=True)
class ActiveOrder:
    """An order that is not lifted."""

    number: int
    order: Order
    taken: int = 0
    offered: int = 0
    """How often it could have been taken, for its fraction."""

    @property
    def exhausted(self) -> bool:
        """Whether it was taken as often as ordered. Faults of single lines are counted for each custom_id instead."""
        return not self.order.chooses_lines and self.order.count is not None and self.taken >= self.order.count


class Orders:
    """The faults of one sandbox, stored in its database."""

    def __init__(self, store: Store, at_start: Collection[str] = ()) -> None:
        seen: Counter[str] = Counter()
        for text in at_start:
            parse(text)
            seen[text] += 1
            # A restart with the same options continues these orders and does not add them again.
            store.add_fault(text, origin=f"{text} {seen[text]}")
        self._store = store
        self._active = [ActiveOrder(number, parse(text), taken) for number, text, taken in store.faults()]

    def order(self, texts: Collection[str]) -> None:
        """Orders all of these faults, or none if one is not understood."""
        for order in [parse(text) for text in texts]:
            number = self._store.add_fault(order.text)
            assert number is not None
            self._active.append(ActiveOrder(number, order))

    def lift(self) -> None:
        """Lifts all faults. A batch keeps those that it was created with."""
        self._store.lift_faults()
        self._active.clear()

    def take(
        self, operation: str, *, only: str | None = None, but: str | None = None, body: bytes | None = None
    ) -> Order | None:
        """The fault for this call, if there is one: the first that applies, in the order in which they were ordered."""
        for active in self._active:
            order = active.order
            if order.operation != operation or active.exhausted:
                continue
            if (only is not None and order.kind != only) or order.kind == but:
                continue
            if order.marker is not None and not contains(body or b"", order.marker):
                continue
            active.offered += 1
            if order.fraction is not None and not in_share(f"{active.number} {active.offered}", order.fraction):
                continue
            self._count(active)
            return order
        return None

    def take_for_batch(self) -> tuple[tuple[int, Order], ...]:
        """The faults for a new batch: at most one that decides its end, and all others that are active."""
        taken: list[tuple[int, Order]] = []
        for active in self._active:
            order = active.order
            if order.operation not in ("batch", "line") or active.exhausted:
                continue
            if order.ends_batch and any(other.ends_batch for _, other in taken):
                continue
            if not order.chooses_lines:
                self._count(active)
            taken.append((active.number, order))
        return tuple(taken)

    def shown(self) -> list[dict[str, Any]]:
        """The active faults, for GET /sandbox/faults."""
        return [
            {
                "fault": active.order.text,
                "taken": self._store.times_met(active.number) if active.order.chooses_lines else active.taken,
                "count": "always" if active.order.count is None else active.order.count,
                "used_up": active.exhausted,
            }
            for active in self._active
        ]

    def _count(self, active: ActiveOrder) -> None:
        active.taken += 1
        self._store.fault_taken(active.number, active.taken)


def in_share(text: str, fraction: float) -> bool:
    """Whether a text belongs to this fraction of all texts. The result is always the same."""
    return zlib.crc32(text.encode()) < fraction * 0x1_0000_0000


def contains(content: bytes, marker: str) -> bool:
    """Whether JSON bytes contain a text, plain or escaped."""
    return any(form in content for form in marker_forms(marker))


def marker_forms(marker: str | None) -> tuple[bytes, ...]:
    """The forms of a text in JSON: plain, and with all non-ASCII characters escaped. Empty if there is no text."""
    if marker is None:
        return ()
    plain = marker.encode()
    escaped = "".join(one if ord(one) < 128 else _escape(one) for one in marker).encode()
    return (plain,) if plain == escaped else (plain, escaped)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
