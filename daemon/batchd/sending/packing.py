"""Which parts go into which batch: one concept that cuts big jobs up and lets small ones share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..contracts import Limits
from ..domain.records import QueuedPart

MAX_OUTPUT_BYTES = 100_000_000
"""Downloads of several hundred MB are cut in practice, again and again; so a batch's answers stay below this."""


@dataclass(frozen=True, slots=True)
class Packing:
    """What `pack` decided: batches to make now, parts to cut first, and when to ask again (steady seconds)."""

    batches: Sequence[Sequence[QueuedPart]]
    too_large: Sequence[QueuedPart]
    again_at: float | None


def pack(
    waiting: Iterable[QueuedPart],
    limits: Limits,
    *,
    linger: float,
    steady: float,
    free_tokens: int | None = None,
) -> Packing:
    """Put waiting parts of one provider, model and endpoint together.

    A batch that is full goes now; one with room left goes once its oldest part has waited for `linger`
    seconds, so that small jobs meet. `free_tokens` is what may still be enqueued at the provider; parts that
    do not fit into it wait. A part that alone exceeds a limit comes back as too large.
    """
    batches: list[list[QueuedPart]] = []
    too_large: list[QueuedPart] = []
    group = _Group(limits)
    again_at: float | None = None
    left = free_tokens
    for part in sorted(waiting):
        if not _Group(limits).takes(part):
            too_large.append(part)
            continue
        if left is not None and part.input_tokens > left and left != limits.max_enqueued_tokens:
            # Later parts do not overtake: a large part would wait forever behind a stream of small ones.
            # With nothing enqueued at all it goes, however large: only the service can say no now.
            break
        if part.alone:
            batches.append([part])
            left = left - part.input_tokens if left is not None else None
            continue
        if not group.takes(part):
            batches.append(group.parts)
            group = _Group(limits)
        group.add(part)
        if left is not None:
            left -= part.input_tokens
    if group.parts:
        ready_at = min(part.since for part in group.parts) + linger
        if group.full or ready_at <= steady:
            batches.append(group.parts)
        else:
            again_at = ready_at
    return Packing(batches, too_large, again_at)


def pieces(part: QueuedPart, limits: Limits) -> int:
    """Into how many pieces to cut a part that `pack` called too large, so that each is likely to fit."""
    ratios = [part.requests / limits.max_requests, part.size / limits.max_bytes, part.output_size / MAX_OUTPUT_BYTES]
    if limits.max_enqueued_tokens:
        ratios.append(part.input_tokens / limits.max_enqueued_tokens)
    return min(max(2, math.ceil(max(ratios) * 1.1)), max(2, part.requests))


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
        """No further request is likely to fit, so waiting for company is pointless."""
        limits = self.limits
        return self.requests >= limits.max_requests or self.size >= 0.95 * limits.max_bytes
