"""Which parts go into which batch: cuts large jobs, and puts small ones together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ..contracts import Limits
from ..domain.records import QueuedPart

MAX_OUTPUT_BYTES = 100_000_000
"""The most bytes of a batch's answers. In practice, downloads of several hundred MB break off again and again."""

LIVE_AT_ONCE = 8
"""Parts of one model that are asked by live calls at a time: enough that no call waits when one part ends."""
MAX_LIVE_JOBS = 48
"""While fewer parts are asked, a job without one gets its first, even beyond LIVE_AT_ONCE."""


MAX_OPEN = 20
"""The most batches with room left that pack tries for further parts."""


class Packing(Struct, frozen=True):
    """The result of `pack`: batches to make now, parts to cut first, and when to call it again (steady seconds)."""

    batches: Sequence[Sequence[QueuedPart]]
    too_large: Sequence[QueuedPart]
    again_at: float | None


def pack(
    waiting: Iterable[QueuedPart],
    limits: Limits,
    *,
    linger: float,
    steady: float,
    now: float = 0.0,
    free_tokens: int | None = None,
    careful: bool = False,
) -> Packing:
    """Put waiting parts of one provider, model and endpoint into batches.

    A full batch is made now. One with room left is made once its oldest part has waited for `linger` seconds, so that
    small jobs share batches; parts of a job with `more` to come wait for it to be full. `free_tokens` may still be
    enqueued at the provider; parts with more tokens wait. A part that exceeds a limit by itself is returned as too
    large. If `careful`, parts that were refused less often come first.
    `now` is by the wall clock, like the parts' `claimed_at`.
    """
    made: list[Sequence[QueuedPart]] = []
    open_groups: list[_Group] = []
    too_large: list[QueuedPart] = []
    again_at: float | None = None
    left = free_tokens
    for part in sorted(waiting, key=lambda each: (each.suspect if careful else 0, _arrival(each, now), each)):
        if not _Group(limits).takes(part):
            too_large.append(part)
            continue
        if left is not None and part.input_tokens > left and left != limits.max_enqueued_tokens:
            # Later parts do not overtake it, or a large part could wait without end behind many small ones.
            # If nothing is enqueued at all, it is sent however large it is: only the service can refuse it.
            break
        if left is not None:
            left -= part.input_tokens
        if part.alone:
            made.append([part])
            continue
        # Into the first batch with room for it, so that what is left of large parts fills batches too.
        group = next((each for each in open_groups if each.takes(part)), None)
        if group is None:
            group = _Group(limits)
            open_groups.append(group)
            if len(open_groups) > MAX_OPEN:
                made.append(open_groups.pop(0).parts)
        group.add(part)
        if group.full:
            open_groups.remove(group)
            made.append(group.parts)
    for number, group in enumerate(open_groups, start=1):
        ready_at = min((part.since for part in group.parts if not part.more), default=math.inf) + linger
        # If there is a later group, some part did not fit into this one, so little more would.
        if number < len(open_groups) or ready_at <= steady:
            made.append(group.parts)
        elif ready_at < math.inf:
            again_at = ready_at
    if not careful:
        made.sort(key=lambda batch: (_arrival(batch[0], now), batch[0]))
    return Packing(made, too_large, again_at)


def _arrival(part: QueuedPart, now: float) -> float:
    """The arrival time to sort by: a job's wait counts `priority` times, so that low priority gets its turn, too."""
    return part.claimed_at if part.priority == 1 else now - max(0.0, now - part.claimed_at) * part.priority


def pack_live(waiting: Iterable[QueuedPart], under_way: Mapping[str, int], *, now: float = 0.0) -> list[QueuedPart]:
    """The parts to ask now by live calls, each by itself. `under_way` counts those that are asked already, by job.

    The first part of each job comes before the second of any other, so a file of a million rows keeps no job out.
    """

    def order(part: QueuedPart) -> tuple[float, QueuedPart]:
        return _arrival(part, now), part

    by_job: dict[str, list[QueuedPart]] = defaultdict(list)
    for part in sorted(waiting, key=order):
        by_job[part.job].append(part)
    total = sum(under_way.values())
    first = [parts.pop(0) for job, parts in by_job.items() if not under_way.get(job)][: max(0, MAX_LIVE_JOBS - total)]
    more = sorted((part for parts in by_job.values() for part in parts), key=order)
    return first + more[: max(0, LIVE_AT_ONCE - total - len(first))]


def piece_requests(part: QueuedPart, limits: Limits) -> int:
    """The requests of each piece that a too large part is cut into, so that each fits, and fills a batch if it can."""
    # Rows differ in size, so a piece is a little smaller than their average would allow.
    ratios = [part.size / limits.max_bytes, part.output_size / MAX_OUTPUT_BYTES]
    if limits.max_enqueued_tokens:
        ratios.append(part.input_tokens / limits.max_enqueued_tokens)
    most = limits.max_requests
    if max(ratios) > 1:
        most = min(most, math.floor(part.requests / (max(ratios) * 1.1)))
    return max(1, most if most < part.requests else math.ceil(part.requests / 2))


class _Group:
    """A batch being filled."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.parts: list[QueuedPart] = []
        self.requests = self.size = self.input_tokens = self.output_size = 0

    def takes(self, part: QueuedPart) -> bool:
        limits = self.limits
        if not self.parts and part.requests <= 1:
            # It cannot be cut any further, so only the service can refuse it.
            return True
        tokens_most = limits.max_enqueued_tokens
        return (
            self.requests + part.requests <= limits.max_requests
            and self.size + part.size <= limits.max_bytes
            and (tokens_most is None or self.input_tokens + part.input_tokens <= tokens_most)
            and self.output_size + part.output_size <= MAX_OUTPUT_BYTES
        )

    def add(self, part: QueuedPart) -> None:
        self.parts.append(part)
        self.requests += part.requests
        self.size += part.size
        self.input_tokens += part.input_tokens
        self.output_size += part.output_size

    @property
    def full(self) -> bool:
        """True if no further request is likely to fit, so there is no use in waiting for more parts."""
        limits = self.limits
        return self.requests >= limits.max_requests or self.size >= 0.95 * limits.max_bytes
