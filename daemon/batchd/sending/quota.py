"""How many tokens a provider lets us enqueue, learnt from its refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Queue = tuple[str, str]
"""Provider and model: the part of a queue's name that quotas are counted by."""

FIRST_PAUSE = 15.0
MAX_PAUSE = 600.0
SMALLEST_SHARE = 20
"""A limit that the provider named is never taken to be less than a twentieth of it: others may share it for now."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What refusals taught: a limit in our own count of tokens, if any, and until when to leave the queue alone."""

    limit: int | None
    refusals: int
    paused_until: float


class Quotas:
    """Learnt limits by queue. Forgotten with the process: the first refusal teaches them again, free of charge."""

    def __init__(self) -> None:
        self._learnt: dict[Queue, Learnt] = {}

    def refused(self, queue: Queue, *, said: int | None, enqueued: int, steady: float) -> None:
        """The provider refused for its limit; `said` is the limit it named, `enqueued` our tokens there with the batch.

        Our count is a guess. Where it was below the limit that the provider named, the guess was too low, so
        the same again would be refused again: what was refused, less a fifth, is the limit then.
        """
        below = max(1, enqueued * 4 // 5)
        limit = below if said is None or enqueued <= said else said
        floor = said // SMALLEST_SHARE if said else 1
        self._pause(queue, max(limit, floor, 1), steady)

    def broke_down(self, queue: Queue, *, steady: float) -> None:
        """The provider broke down over a batch: it gets time to come round, and no limit is learnt."""
        before = self._learnt.get(queue)
        self._pause(queue, before.limit if before else None, steady)

    def _pause(self, queue: Queue, limit: int | None, steady: float) -> None:
        before = self._learnt.get(queue)
        refusals = before.refusals + 1 if before else 1
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals - 1, 10))
        self._learnt[queue] = Learnt(limit, refusals, steady + pause)

    def accepted(self, queue: Queue) -> None:
        """A batch got past validation: the limit may be a little higher than we think."""
        learnt = self._learnt.get(queue)
        if learnt is not None:
            higher = None if learnt.limit is None else learnt.limit + max(1, learnt.limit // 20)
            self._learnt[queue] = Learnt(higher, 0, 0.0)

    def limit(self, queue: Queue, configured: int | None) -> int | None:
        """The most to enqueue: what the operator said, or less if that was refused."""
        learnt = self._learnt.get(queue)
        if learnt is None or learnt.limit is None:
            return configured
        return learnt.limit if configured is None else min(configured, learnt.limit)

    def paused_until(self, queue: Queue) -> float:
        """Steady time before which nothing more is to be sent there."""
        learnt = self._learnt.get(queue)
        return learnt.paused_until if learnt is not None else 0.0

    def learnt(self) -> Mapping[Queue, Learnt]:
        """What is known, for `status`."""
        return dict(self._learnt)
