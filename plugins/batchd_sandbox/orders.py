"""Which faults stand, and who meets them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .fault_grammar import parse
from .faults import Order
from .store import Store


@dataclass(slots=True)
class Standing:
    """An order that is not lifted."""

    number: int
    order: Order
    taken: int = 0
    asked: int = 0
    """How often it could have been taken: what a fraction is a fraction of."""

    @property
    def exhausted(self) -> bool:
        """True once it was taken as often as ordered. Those of chosen lines count for each custom_id."""
        return not self.order.chooses_lines and self.order.count is not None and self.taken >= self.order.count


class Orders:
    """The faults of one sandbox, kept in its store."""

    def __init__(self, store: Store, at_start: Collection[str] = ()) -> None:
        seen: Counter[str] = Counter()
        for text in at_start:
            parse(text)
            seen[text] += 1
            # A restart with the same options goes on with these orders; it does not order them again.
            store.add_fault(text, origin=f"{text} {seen[text]}")
        self._store = store
        self._standing = [Standing(number, parse(text), taken) for number, text, taken in store.faults()]

    def order(self, texts: Collection[str]) -> list[Standing]:
        """Orders all of these, or none of them if one is not understood."""
        orders = [parse(text) for text in texts]
        ordered = []
        for order in orders:
            number = self._store.add_fault(order.text)
            assert number is not None
            ordered.append(Standing(number, order))
        self._standing += ordered
        return ordered

    def lift(self) -> None:
        """Lifts all; what a batch was born with stays with it."""
        self._store.lift_faults()
        self._standing.clear()

    def take(
        self, operation: str, *, only: str | None = None, but: str | None = None, body: bytes | None = None
    ) -> Order | None:
        """The fault that befalls this call, if one does: the first that stands, in the order of ordering."""
        for standing in self._standing:
            order = standing.order
            if order.operation != operation or standing.exhausted:
                continue
            if (only is not None and order.kind != only) or order.kind == but:
                continue
            if order.marker is not None and not contains(body or b"", order.marker):
                continue
            standing.asked += 1
            if order.fraction is not None and not in_share(f"{standing.number} {standing.asked}", order.fraction):
                continue
            self._taken(standing)
            return order
        return None

    def take_for_batch(self) -> tuple[tuple[int, Order], ...]:
        """What the batch that is being created is born with: one way to end, and all else that stands."""
        taken: list[tuple[int, Order]] = []
        for standing in self._standing:
            order = standing.order
            if order.operation not in ("batch", "line") or standing.exhausted:
                continue
            if order.ends_batch and any(other.ends_batch for _, other in taken):
                continue
            if not order.chooses_lines:
                self._taken(standing)
            taken.append((standing.number, order))
        return tuple(taken)

    def shown(self) -> list[dict[str, Any]]:
        """For GET /sandbox/faults: those that stand and have not been used up."""
        return [
            {
                "fault": standing.order.text,
                "taken": self._store.times_met(standing.number) if standing.order.chooses_lines else standing.taken,
                "count": "always" if standing.order.count is None else standing.order.count,
                "used_up": standing.exhausted,
            }
            for standing in self._standing
        ]

    def _taken(self, standing: Standing) -> None:
        standing.taken += 1
        self._store.fault_taken(standing.number, standing.taken)


def in_share(text: str, fraction: float) -> bool:
    """Whether a text is among this fraction of all texts: the same answer each time."""
    return zlib.crc32(text.encode()) < fraction * 0x1_0000_0000


def contains(content: bytes, marker: str) -> bool:
    """Whether JSON bytes contain a text, written as it is or escaped."""
    return any(form in content for form in marker_forms(marker))


def marker_forms(marker: str) -> tuple[bytes, ...]:
    """How a text may stand in JSON bytes: plain, or with everything but ASCII escaped."""
    plain = marker.encode()
    escaped = "".join(one if ord(one) < 128 else _escape(one) for one in marker).encode()
    return (plain,) if plain == escaped else (plain, escaped)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
