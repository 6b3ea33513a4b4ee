"""How much a provider takes of us at a time, learned from its refusals."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ..contracts import Limits
from ..values import replace
from .named_limits import LimitKind

Queue = tuple[str, str]
"""Provider and model: quotas apply to each such pair."""

FIRST_PAUSE = 15.0
MAX_PAUSE = 600.0
SMALLEST_SHARE = 20
"""The divisor of the most that one refusal lowers a limit: to a twentieth of the tokens that the provider named, since
others may be using the rest for now, or of the batch that it refused, since a limit in its words may be misread. If it
is not, the next refusal lowers it further."""
FIRST_WINDOW = 3
"""Batches of a queue that may be under way before one of them has passed the provider's validation."""


class Learnt(Struct, frozen=True):
    """What the refusals of a queue showed.

    `limit` are enqueued tokens, in our own count; `requests` and `size` (bytes) are of one batch. `refused_at` is when
    the last refusal for too many tokens was heard, by the wall clock. Not stored are `refusals` in a row, the pause
    after them, and `passed`: how many batches passed validation since the last refusal.
    """

    limit: int | None = None
    requests: int | None = None
    size: int | None = None
    refused_at: float | None = None
    refusals: int = 0
    paused_until: float = 0.0
    passed: int = 0

    @property
    def named(self) -> tuple[int | None, int | None, int | None, float | None]:
        """The values that are stored."""
        return self.limit, self.requests, self.size, self.refused_at


class Quotas:
    """Learned limits by queue. `changed` has the queues whose limits are to be stored."""

    def __init__(self) -> None:
        self._learnt: dict[Queue, Learnt] = {}
        self.changed: set[Queue] = set()

    def restore(self, stored: Mapping[Queue, Learnt]) -> None:
        """Add what an earlier process has learned."""
        self._learnt = {**stored, **self._learnt}

    def of(self, queue: Queue) -> Learnt:
        """What was learned of a queue."""
        return self._learnt.get(queue, Learnt())

    def refused(
        self,
        queue: Queue,
        *,
        named: int | None,
        enqueued: int,
        steady: float,
        now: float = 0.0,
        sent_at: float | None = None,
    ) -> None:
        """The provider refused a batch because of its limit of tokens, which it `named`, or None.

        `enqueued` are our tokens there, including the batch. Our count is an estimate. If it was below the limit that
        the provider named, the estimate was too low, and as many tokens would be refused again: then the new limit is
        four fifths of them. A batch that was sent before the last refusal was heard tells nothing new.
        """
        before = self.of(queue)
        if sent_at is not None and before.refused_at is not None and before.refusals and sent_at <= before.refused_at:
            return
        below = max(1, enqueued * 4 // 5)
        limit = below if named is None or enqueued <= named else named
        floor = named // SMALLEST_SHARE if named else 1
        self._pause(queue, replace(before, limit=max(limit, floor, 1), refused_at=now), steady)

    def too_large(self, queue: Queue, kind: LimitKind, *, named: int | None, had: int) -> None:
        """The provider takes fewer requests, or bytes, in one batch than the `had` that were sent."""
        if named is None:
            limit = had // 2
        elif named < had:
            # Too low a limit would stay for good: no service refuses a batch for being small.
            limit = max(named, had // SMALLEST_SHARE)
        else:
            limit = had * 4 // 5
        limit = max(1, limit)
        before = self.of(queue)
        self._note(
            queue, replace(before, requests=limit) if kind is LimitKind.REQUESTS else replace(before, size=limit)
        )

    def broke_down(self, queue: Queue, *, steady: float) -> None:
        """The provider failed on a batch by its own fault: pause the queue, and learn no limit."""
        self._pause(queue, self.of(queue), steady)

    def accepted(self, queue: Queue) -> None:
        """A batch passed validation: the limit may be a little higher than we think."""
        before = self.of(queue)
        higher = None if before.limit is None else before.limit + max(1, before.limit // 20)
        self._note(queue, replace(before, limit=higher, refusals=0, paused_until=0.0, passed=before.passed + 1))

    def freed(self, queue: Queue) -> None:
        """End the pause: a batch of ours has ended, so there is room again."""
        before = self._learnt.get(queue)
        if before is not None and before.limit is not None and before.paused_until:
            self._learnt[queue] = replace(before, paused_until=0.0)

    def limit(self, queue: Queue, configured: int | None) -> int | None:
        """The most tokens to enqueue: the operator's limit, or less if that was refused."""
        return _least(self.of(queue).limit, configured)

    def limits(self, queue: Queue, configured: Limits) -> Limits:
        """The operator's limits, or less where that was refused."""
        learnt = self.of(queue)
        return replace(
            configured,
            max_requests=min(configured.max_requests, learnt.requests or configured.max_requests),
            max_bytes=min(configured.max_bytes, learnt.size or configured.max_bytes),
            max_enqueued_tokens=_least(learnt.limit, configured.max_enqueued_tokens),
        )

    def paused_until(self, queue: Queue) -> float:
        """Steady seconds before which nothing more is sent there."""
        return self.of(queue).paused_until

    def window(self, queue: Queue) -> int:
        """How many batches may be under way that have not passed validation: the more have passed it, the more.

        So a refusal that all batches would get arrives before all of them are sent.
        """
        return max(FIRST_WINDOW, 2 * self.of(queue).passed)

    def learnt(self) -> Mapping[Queue, Learnt]:
        """The learned limits."""
        return {queue: learnt for queue, learnt in self._learnt.items() if any(learnt.named) or learnt.refusals}

    def _pause(self, queue: Queue, before: Learnt, steady: float) -> None:
        refusals = before.refusals + 1
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals - 1, 10))
        self._note(queue, replace(before, refusals=refusals, paused_until=steady + pause, passed=0))

    def _note(self, queue: Queue, learnt: Learnt) -> None:
        if learnt.named != self.of(queue).named:
            self.changed.add(queue)
        self._learnt[queue] = learnt


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)
