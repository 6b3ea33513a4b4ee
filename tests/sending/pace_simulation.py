"""Services with hidden limits, and a caller that keeps a `Pace`, in virtual time.

Each answer takes a log-normal time (sigma 0.4). A limit is a bucket that holds one second of it. A refused call is tried
again after Retry-After, or after 0.5 s and up to one second more. After 180 s the limit is halved; after 300 s it is
four times that.

    python -m tests.sending.pace_simulation [SERVICE]
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from batchd.sending.limit_headers import Kind
from batchd.sending.pace import Pace

SIGMA = 0.4
REFUSAL_SECONDS = 0.02


@dataclass(frozen=True)
class Service:
    """What a service hides: its limit a second, its latency, and how it says no."""

    limit: float
    latency: float
    retry_after: bool = False
    refused_count: bool = False
    clock_minute: bool = False
    tokens: tuple[int, int] | None = None
    """Tokens of a call, from and to; the limit is then of tokens."""
    say_kind: bool = False
    queue: int | None = None
    """Calls that it works at, while the others wait; it refuses none."""
    headers: bool = False


@dataclass(frozen=True)
class Phase:
    """What came of a span of time: the share of the limit that was used, and refusals for each answer."""

    share: float
    refused: float
    latency: float


@dataclass(frozen=True)
class Spans:
    """When the limit changes, and the spans that are measured."""

    halved: float = 180
    quadrupled: float = 300
    measured: tuple[tuple[float, float], ...] = ((0, 60), (60, 180), (180, 300), (360, 420))


class Bucket:
    def __init__(self) -> None:
        self.level: float | None = None
        self.at = 0.0

    def take(self, now: float, rate: float, amount: float, *, always: bool) -> bool:
        """Whether the amount was there, in a bucket that fills at that rate and holds one second of it."""
        if self.level is None:
            self.level = rate
        self.level = min(max(rate, amount), self.level + (now - self.at) * rate)
        self.at = now
        if self.level >= amount:
            self.level -= amount
            return True
        if always:
            self.level = 0.0
        return False


def run(
    service: Service, seed: int, spans: Spans | None = None, *, callers: int = 1, pace: Pace | None = None
) -> list[Phase]:
    """Call a service as fast as the pace allows; what came of each span."""
    spans = spans or Spans()
    chance = random.Random(seed)
    paces = [pace or Pace(max_window=10_000) for _ in range(callers)]
    bucket = Bucket()
    minute: dict[int, float] = {}
    events: list[tuple[float, int, str, tuple[float, ...]]] = []
    order = iter(range(10**9))
    again: list[list[tuple[float, float]]] = [[] for _ in paces]
    accepted: list[tuple[float, float, float]] = []
    refusals: list[float] = []
    free_at: list[float] = [0.0] * (service.queue or 0)
    heapq.heapify(free_at)
    woken = [math.inf] * callers
    end = spans.measured[-1][1]

    def limit(now: float) -> float:
        if now < spans.halved:
            return service.limit
        return service.limit / 2 if now < spans.quadrupled else service.limit * 2

    def push(when: float, what: str, *values: float) -> None:
        heapq.heappush(events, (when, next(order), what, values))

    def arrive(now: float, who: int, size: float) -> None:
        latency = service.latency * math.exp(chance.gauss(0, SIGMA))
        if service.queue is not None:
            start = max(now, heapq.heappop(free_at))
            heapq.heappush(free_at, start + latency)
            accepted.append((start + latency, 1.0, start + latency - now))
            push(start + latency, "answered", who, now, size)
            return
        if service.clock_minute:
            number = int(now // 60)
            ok = minute.get(number, 0.0) + 1 <= limit(now) * 60
            if ok or service.refused_count:
                minute[number] = minute.get(number, 0.0) + 1
            wait = 60 - now % 60
        else:
            amount = size if service.tokens else 1.0
            ok = bucket.take(now, limit(now), amount, always=service.refused_count)
            wait = 1.0
        if ok:
            accepted.append((now, size if service.tokens else 1.0, latency))
            push(now + latency, "answered", who, now, size)
        else:
            refusals.append(now)
            push(now + REFUSAL_SECONDS, "refused", who, now, size, wait)

    def fill(now: float, who: int) -> None:
        mine = paces[who]
        while True:
            queue = again[who]
            size = (
                queue[0][1]
                if queue and queue[0][0] <= now
                else (chance.uniform(*service.tokens) if service.tokens else 1.0)
            )
            wait = mine.wait(now, size)
            if wait > 0:
                if wait < math.inf and now + wait < woken[who] - 1e-9:
                    woken[who] = now + wait
                    push(now + wait, "wake", who)
                return
            if queue and queue[0][0] <= now:
                heapq.heappop(queue)
            mine.started(now, size)
            arrive(now, who, size)

    for who in range(callers):
        push(0.0, "wake", who)
    while events:
        now, _, what, values = heapq.heappop(events)
        if now > end:
            break
        who = int(values[0])
        mine = paces[who]
        if what == "wake":
            if woken[who] <= now + 1e-9:
                woken[who] = math.inf
        elif what == "answered":
            headers = {"x-ratelimit-limit-requests": str(limit(now) * 60)} if service.headers else None
            mine.answered(now, values[1], headers)
        else:
            kind: Kind | None = None
            if service.say_kind:
                kind = "tokens" if service.tokens else "requests"
            mine.refused(now, values[1], values[2], retry_after=values[3] if service.retry_after else None, kind=kind)
            pause = values[3] if service.retry_after else 0.5 + chance.random()
            heapq.heappush(again[who], (now + pause, values[2]))
        fill(now, who)
    return list(_phases(service, spans, accepted, refusals, limit))


def _phases(service: Service, spans: Spans, accepted, refusals, limit) -> Iterator[Phase]:  # type: ignore[no-untyped-def]
    for begin, stop in spans.measured:
        got = [each for each in accepted if begin <= each[0] < stop]
        refused = sum(begin <= when < stop for when in refusals)
        allowed = (
            service.queue / (service.latency * math.exp(SIGMA**2 / 2)) if service.queue else limit((begin + stop) / 2)
        )
        share = sum(each[1] for each in got) / (allowed * (stop - begin))
        yield Phase(share, refused / max(1, len(got)), statistics.median([each[2] for each in got] or [0.0]))


SERVICES = {
    "200/s, 1 s, Retry-After": Service(200, 1, retry_after=True),
    "200/s, 1 s, no header": Service(200, 1),
    "200/s, 8 s": Service(200, 8),
    "200/s, refused calls count too": Service(200, 1, refused_count=True),
    "3/s, 2 s": Service(3, 2),
    "12,000 a clock minute": Service(200, 1, retry_after=True, clock_minute=True),
    "6 M tokens a minute, kind said": Service(100_000, 1, tokens=(100, 3_000), say_kind=True),
    "6 M tokens a minute": Service(100_000, 1, tokens=(100, 3_000)),
    "queue of 64, 1 s": Service(0, 1, queue=64),
    "queue of 256, 4 s": Service(0, 4, queue=256),
    "200/s, told by headers": Service(200, 1, headers=True),
}


def main() -> None:
    for name, service in SERVICES.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        runs = [run(service, seed) for seed in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)]
        columns = []
        for phases in zip(*runs, strict=True):
            share = statistics.median(each.share for each in phases)
            refused = statistics.median(each.refused for each in phases)
            columns.append(f"{share:6.1%} {refused:6.2%} {statistics.median(each.latency for each in phases):5.2f} s")
        print(f"{name:<34}" + " | ".join(columns), flush=True)


if __name__ == "__main__":
    main()
