"""How fast a service lets us call: one `Pace` for each provider, model and endpoint. Pure: the caller passes the time.

Two limits hold the calls. A window bounds the calls in flight, until something shows the rate. Two buckets, of requests
and of tokens, bound the rate, once a refusal or a header has shown it. A rate is better than a window alone: a window
that fits calls of one second is wrong by a factor of eight for calls of eight. Measured in a simulation of services
(tests/sending/pace_simulation.py): 98 to 101 percent of each limit with at most 4 refusals in a hundred calls.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .limit_headers import USUAL, Kind, LimitHeader, told

FIRST_WINDOW = 64.0
NEXT_WINDOW = 2.0
"""The first window after a time in which the service took no call at all."""
LEAST_RATE = 0.1
"""Calls, or tokens, a second that are tried even if none was let in."""
SPARE_WINDOW = 8.0
"""Calls in flight beyond what the rate needs, so that a slow answer does not hold the next call."""
WINDOW_FACTOR = 1.5
NEARLY_FULL = 0.9
GROWTH = 2.0
"""How many calls the window grows by for each answer while it is used: it triples with each round."""

CUT = 0.05
SECOND_CUT = 0.9
"""A second refusal within a second shows that the measured rate was too high."""
LEVEL_SECONDS = 10.0
"""So long after a refusal, the rate is back at the limit that was seen; then it grows with the cube of the time."""
SILENCE = 0.2
LET_IN_SECONDS = 2.0
MINUTE = 60.0
LONG_PAUSE = 3.0
"""A longer Retry-After means that a limit of a whole minute is used up, and not of a second."""
MAX_PAUSE = 60.0
HEADER_SHARE = 0.98
BURST_SECONDS = 0.25
SLOW_FACTOR = 2.5
"""If answers take so many times the best latency and do not become more, the service queues calls and refuses none."""
QUEUE_FACTOR = 1.75
"""The latency to keep such a service at, as a multiple of its best."""
ENOUGH = 20
"""Calls within a second that are enough to show a rate."""
FEW = 6
"""With fewer calls let in within two seconds, the rate is measured over four seconds."""
SLOT = 0.1
LATENCIES = 64


class Flow:
    """Amounts by time, in slots of a tenth of a second, for the last minute."""

    def __init__(self) -> None:
        self._slots: deque[list[float]] = deque()

    def add(self, when: float, amount: float) -> None:
        """Add an amount, or take it away again. A time before the newest slot goes to its own slot."""
        slot = math.floor(when / SLOT)
        slots = self._slots
        if not slots or slots[-1][0] < slot:
            slots.append([slot, amount])
            while slots[0][0] < slot - MINUTE / SLOT:
                slots.popleft()
            return
        for each in reversed(slots):
            if each[0] <= slot:
                each[1] += amount
                return

    def per_second(self, now: float, seconds: float) -> float:
        """The rate over the seconds before `now`."""
        first, last = math.floor((now - seconds) / SLOT), math.floor(now / SLOT)
        total = 0.0
        for slot, amount in reversed(self._slots):
            if slot <= first:
                break
            total += amount if slot <= last else 0.0
        # The oldest slot counts from where it begins, so the span is up to a slot shorter.
        return max(0.0, total) / max(now - (first + 1) * SLOT, SLOT)


@dataclass(slots=True)
class Bucket:
    """One limited amount: requests or tokens. Its rate is unknown until a refusal, a header or a person tells it."""

    configured: float = math.inf
    """Amount a second that the configuration allows."""
    told: float = math.inf
    """Amount a second that the service's headers allow."""
    top: float = math.inf
    """The rate at the last refusal."""
    cut_at: float = -math.inf
    seconds: float = LET_IN_SECONDS
    share: float = 1.0
    least: float = 0.0
    """`seconds` and `share` are how the last cut measured, `least` is the rate if it found nothing."""
    blind: bool = False
    """No call was let in before the last cut, so nothing was measured."""
    level: float = 0.0
    filled_at: float = -math.inf
    let_in: Flow = field(default_factory=Flow)

    @property
    def cap(self) -> float:
        """Amount a second that is known to be allowed."""
        return min(self.configured, self.told)

    def rate(self, now: float) -> float:
        """Amount a second that may be used now."""
        if self.top == math.inf:
            return self.cap
        since = (now - self.cut_at - LEVEL_SECONDS) / LEVEL_SECONDS
        return min(self.cap, self.top * (1 + CUT * since**3))

    def wait(self, now: float, amount: float) -> float:
        """Seconds until the amount may be used."""
        rate = self.rate(now)
        if rate == math.inf:
            return 0.0
        most = max(amount, rate * BURST_SECONDS)
        if self.filled_at == -math.inf:
            self.level, self.filled_at = amount, now
        self.level = min(most, self.level + (now - self.filled_at) * rate)
        self.filled_at = now
        missing = amount - self.level
        # Less than a millionth is a rounding error, which would give a wait shorter than the clock can tell.
        return missing / rate if missing > amount * 1e-6 else 0.0

    def use(self, now: float, amount: float) -> None:
        """Use this amount for a call that begins."""
        self.let_in.add(now, amount)
        if self.filled_at != -math.inf:
            self.level -= amount

    def give_back(self, begun: float, amount: float) -> None:
        """Take back the amount of a call that began then and was refused."""
        self.let_in.add(begun, -amount)

    def undo(self, begun: float, amount: float) -> None:
        """Undo `use` for a call that did not begin after all."""
        self.give_back(begun, amount)
        if self.filled_at != -math.inf:
            self.level += amount

    def cut(self, now: float, seconds: float, share: float) -> None:
        """Lower the rate after a refusal, to what was let in over the last seconds, times a share."""
        # If not one call was let in, nothing was measured: half of the rate before, or the slowest that was seen.
        before = self.rate(now) / 2
        self.least = before if before != math.inf else 1 / seconds
        self.seconds, self.share, self.cut_at = seconds, share, now
        self.level, self.filled_at = 0.0, now
        self.measure()

    def measure(self) -> None:
        """Measure the rate at the last refusal again, since more calls that began before it were refused, too."""
        if self.cut_at > -math.inf:
            seen = self.let_in.per_second(self.cut_at, self.seconds) * self.share
            self.blind = seen <= 0
            self.top = min(max(self.least, LEAST_RATE) if self.blind else seen, self.cap)

    def forget(self) -> None:
        """Forget the rate that a blind cut left: nothing was measured."""
        self.top, self.blind, self.cut_at, self.filled_at = math.inf, False, -math.inf, -math.inf


class Pace:
    """The pace of one provider, model and endpoint.

    All times are seconds of a steady clock. `wait` says when the next call may begin; then `started`, and once for each
    call one of `answered`, `refused`, `broke_down` and `undo`.

    Args:
        requests_per_minute: A limit that is known beforehand, or None.
        tokens_per_minute: The same for tokens.
        max_window: The most calls in flight.
        headers: The headers of answers that tell limits, by name in lower case, with their meanings.
    """

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_window: int = 1024,
        headers: Mapping[str, LimitHeader] = USUAL,
    ) -> None:
        self.requests = Bucket(configured=_per_second(requests_per_minute))
        self.tokens = Bucket(configured=_per_second(tokens_per_minute))
        self.max_window = max_window
        self._headers = headers
        self.in_flight = 0
        self.refused_at: float | None = None
        self._window = min(FIRST_WINDOW, max_window)
        self._growing = True
        self._queues = False
        self._quiet_until = -math.inf
        self._last_cut = -math.inf
        self._held_at = -math.inf
        self._begun_at = math.inf
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._best = math.inf
        self._answers = Flow()
        self._best_throughput = 0.0
        self._since_fitted = 0

    def configure(
        self,
        requests_per_minute: float | None,
        tokens_per_minute: float | None,
        max_window: int,
        headers: Mapping[str, LimitHeader] = USUAL,
    ) -> None:
        """Change the known limits."""
        if headers != self._headers:
            self.requests.told = self.tokens.told = math.inf
            self._headers = headers
        self.requests.configured = _per_second(requests_per_minute)
        self.tokens.configured = _per_second(tokens_per_minute)
        self.max_window = max_window

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until a call of so many tokens may begin; infinity while the window is full, until a call ends."""
        if now < self._quiet_until:
            return self._quiet_until - now
        if self.in_flight >= self.window(now):
            self._held_at = now
            return math.inf
        wait = max(self.requests.wait(now, 1.0), self.tokens.wait(now, tokens))
        if wait > 0 and not self.requests.blind and not self.tokens.blind:
            self._held_at = now
        return wait

    def window(self, now: float) -> int:
        """The most calls in flight."""
        if self._growing or self._queues:
            wanted = self._window
        else:
            rate = self.requests.rate(now)
            if rate == math.inf:
                rate = self._answers.per_second(now, LET_IN_SECONDS) * 2
            wanted = WINDOW_FACTOR * rate * self.latency() + SPARE_WINDOW
        return int(min(max(1.0, wanted), self.max_window))

    def latency(self) -> float:
        """The median of the last answers' times, in seconds."""
        ordered = sorted(self._latencies)
        return ordered[len(ordered) // 2] if ordered else 1.0

    def started(self, now: float, tokens: float) -> None:
        """Note that a call begins."""
        self._begun_at = min(self._begun_at, now)
        self.in_flight += 1
        self.requests.use(now, 1.0)
        self.tokens.use(now, tokens)

    def answered(self, now: float, begun: float, headers: Mapping[str, str] | None = None) -> None:
        """Note an answer: any, also a 400, that is not a refusal for reasons of pace."""
        used = self.in_flight >= NEARLY_FULL * self.window(now)
        self.in_flight -= 1
        self._answers.add(now, 1.0)
        self._latencies.append(now - begun)
        if headers:
            self._heed(headers)
        if begun >= self._last_cut and (self.requests.blind or self.tokens.blind):
            self._begin_again()
        if self._growing:
            if used:
                self._window = min(self._window + GROWTH, self.max_window)
            self._notice_a_queue(now)
        elif self._queues:
            self._fit_the_queue()

    def refused(
        self,
        now: float,
        begun: float,
        tokens: float,
        *,
        retry_after: float | None = None,
        kind: Kind | None = None,
    ) -> None:
        """Note that a call was refused as one too many (429, 498, 503, 529). `retry_after` is in seconds."""
        self.in_flight -= 1
        self.refused_at = now
        self.requests.give_back(begun, 1.0)
        self.tokens.give_back(begun, tokens)
        if begun < self._last_cut:
            # It began before the last cut, so it only says that this cut counted too many calls as let in.
            self.requests.measure()
            self.tokens.measure()
            return
        again = now - self._last_cut < 1.0
        long = retry_after is not None and retry_after > LONG_PAUSE
        share = SECOND_CUT if again else 1.0
        seconds = MINUTE if long else LET_IN_SECONDS
        if not long:
            # Few calls in the last seconds do not show the rate, and the time before the first call does not count.
            few_let_in = self.requests.let_in.per_second(now, seconds) * seconds < FEW
            seconds = min(2 * seconds if few_let_in else seconds, max(1.0, now - self._begun_at))
        if self._growing and not long and self.requests.let_in.per_second(now, 1.0) >= ENOUGH:
            # The calls were still becoming more, so two seconds would show too low a rate.
            seconds = 1.0
        # If nothing held the calls back, there were few to make, and they do not show the limit.
        few = self._growing and self._held_at < now - seconds
        for bucket, name in ((self.requests, "requests"), (self.tokens, "tokens")):
            if not few and (kind is None or kind == name):
                bucket.cut(now, seconds, share)
        pause = SILENCE
        if retry_after is not None and (again or long):
            pause = max(pause, min(retry_after, MAX_PAUSE))
        self._quiet_until = max(self._quiet_until, now + pause)
        self._last_cut = now
        self._growing = few
        if few:
            self._window = min(NEXT_WINDOW, self.max_window)
        self._queues = False

    def broke_down(self) -> None:
        """Note that a call ended without an answer (a 5xx, a broken connection, silence): no sign of a limit."""
        self.in_flight -= 1

    def undo(self, begun: float, tokens: float) -> None:
        """Note that a call that was to begin then did not begin: nothing was sent."""
        self.in_flight -= 1
        self.requests.undo(begun, 1.0)
        self.tokens.undo(begun, tokens)

    def limited_by(self, now: float) -> Literal["requests", "tokens", "window", "pause", "nothing"]:
        """What limits the calls now, for `status`."""
        if now < self._quiet_until:
            return "pause"
        if self.in_flight >= self.window(now):
            return "window"
        waits = {"requests": self.requests.wait(now, 1.0), "tokens": self.tokens.wait(now, 1.0)}
        if waits["requests"] > 0:
            return "requests"
        return "tokens" if waits["tokens"] > 0 else "nothing"

    def rate(self, now: float) -> float:
        """Answers a second over the last five seconds."""
        return self._answers.per_second(now, 5.0)

    def _begin_again(self) -> None:
        """Start anew when the service takes calls again after taking none: nothing is known of its limit."""
        for bucket in (self.requests, self.tokens):
            if bucket.blind:
                bucket.forget()
        self._growing, self._window = True, min(NEXT_WINDOW, self.max_window)

    def _notice_a_queue(self, now: float) -> None:
        """Stop growing when answers take much longer and do not become more: the service queues what it gets."""
        if len(self._latencies) < self._latencies.maxlen // 2:  # type: ignore[operator]
            return
        latency = self.latency()
        self._best = min(self._best, latency)
        throughput = self._answers.per_second(now, LET_IN_SECONDS)
        if latency > SLOW_FACTOR * self._best and throughput <= self._best_throughput * 1.1:
            self._growing = False
            self._queues = True
        self._best_throughput = max(self._best_throughput, throughput)

    def _fit_the_queue(self) -> None:
        """Once a round, fit the window to a short queue at the service, so that it never waits for us."""
        self._since_fitted += 1
        if self._since_fitted < max(self._window, LATENCIES):
            return
        self._since_fitted = 0
        latency = self.latency()
        self._best = min(self._best, latency)
        fit = QUEUE_FACTOR * self._best / latency
        self._window = min(max(1.0, self._window * min(max(fit, 0.75), 1.25)), self.max_window)

    def _heed(self, headers: Mapping[str, str]) -> None:
        """Use the limits in the headers of an answer."""
        for kind, limit in told(headers, self._headers):
            (self.requests if kind == "requests" else self.tokens).told = limit * HEADER_SHARE


def _per_second(per_minute: float | None) -> float:
    return math.inf if per_minute is None else per_minute / MINUTE
