"""The jobs and batches that wait for the hours in which their route sends."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from .deadlines import may_wait_until


class Outside(Struct, frozen=True):
    """The routes that do not send now, with the moment from which they do; and how long jobs of each route may take.

    `live` are the batches of live calls that wait for their hours.
    """

    opens: Mapping[str, float] = field(default_factory=dict)
    finish_within: Mapping[str, float | None] = field(default_factory=dict)
    live: frozenset[str] = frozenset()

    def until(self, route: str, claimed_at: float, *, late: bool) -> float | None:
        """The moment until which a job of this route waits, None if it does not."""
        opens = self.opens.get(route)
        if opens is None or late or not may_wait_until(opens, claimed_at, self.finish_within.get(route)):
            return None
        return opens
