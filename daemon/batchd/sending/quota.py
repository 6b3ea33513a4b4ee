"""How many tokens a provider lets us enqueue, learned from its refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Queue = tuple[str, str]
"""Provider and model: quotas apply to each such pair."""

FIRST_PAUSE = 15.0
MAX_PAUSE = 600.0
SMALLEST_SHARE = 20
"""The divisor of a limit that the provider named: a learned limit is never below a twentieth of it. Others may be using
the rest for now."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the refusals of a queue showed: a limit in our own count of tokens, if any, and the end of its pause."""

    limit: int | None
    refusals: int
    paused_until: float


class Quotas:
    """Learned limits by queue. They end with the process: the next refusal, which costs nothing, shows them again."""

    def __init__(self) -> None:
        self._learnt: dict[Queue, Learnt] = {}

    def refused(self, queue: Queue, *, named: int | None, enqueued: int, steady: float) -> None:
        """The provider refused a batch because of its limit, which it `named`, or None.

        `enqueued` are our tokens there, including the batch. Our count is an estimate. If it was below the limit that
        the provider named, the estimate was too low, and as many tokens would be refused again: then the new limit is
        four fifths of them.
        """
        below = max(1, enqueued * 4 // 5)
        limit = below if named is None or enqueued <= named else named
        floor = named // SMALLEST_SHARE if named else 1
        self._pause(queue, max(limit, floor, 1), steady)

    def broke_down(self, queue: Queue, *, steady: float) -> None:
        """The provider failed on a batch by its own fault: pause the queue, and learn no limit."""
        before = self._learnt.get(queue)
        self._pause(queue, before.limit if before else None, steady)

    def _pause(self, queue: Queue, limit: int | None, steady: float) -> None:
        before = self._learnt.get(queue)
        refusals = before.refusals + 1 if before else 1
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals - 1, 10))
        self._learnt[queue] = Learnt(limit, refusals, steady + pause)

    def accepted(self, queue: Queue) -> None:
        """A batch passed validation: the limit may be a little higher than we think."""
        learnt = self._learnt.get(queue)
        if learnt is not None:
            higher = None if learnt.limit is None else learnt.limit + max(1, learnt.limit // 20)
            self._learnt[queue] = Learnt(higher, 0, 0.0)

    def limit(self, queue: Queue, configured: int | None) -> int | None:
        """The most tokens to enqueue: the operator's limit, or less if that was refused."""
        learnt = self._learnt.get(queue)
        if learnt is None or learnt.limit is None:
            return configured
        return learnt.limit if configured is None else min(configured, learnt.limit)

    def paused_until(self, queue: Queue) -> float:
        """Steady seconds before which nothing more is sent there."""
        learnt = self._learnt.get(queue)
        return learnt.paused_until if learnt is not None else 0.0

    def learnt(self) -> Mapping[Queue, Learnt]:
        """The learned limits, for `status`."""
        return dict(self._learnt)
