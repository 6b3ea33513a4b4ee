"""The pace against services with hidden limits, in virtual time: how much of each limit is used, how often it is hit."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterable

import pytest

from batchd.sending.limit_headers import LimitHeader
from batchd.sending.pace import Pace

from .pace_simulation import SERVICES, Phase, Spans, run

LONG = os.environ.get("BATCHD_LONG") == "1"
SEEDS = range(5)
SHORT = Spans(halved=60, quadrupled=90, measured=((0, 30), (30, 60), (60, 90), (120, 130)))
SHORT_SERVICES = ("200/s, 1 s, no header", "queue of 64, 1 s")
TABLE = {
    "200/s, 1 s, Retry-After": (0.99, 1.00, 1.01, 1.01),
    "200/s, 1 s, no header": (1.00, 1.00, 1.00, 1.00),
    "200/s, 8 s": (0.75, 1.00, 1.00, 1.00),
    "200/s, refused calls count too": (0.99, 1.00, 0.99, 0.99),
    "3/s, 2 s": (0.99, 1.00, 0.99, 0.99),
    "12,000 a clock minute": (1.00, 1.00, 0.93, 0.93),
    "6 M tokens a minute, kind said": (0.89, 1.00, 0.97, 0.97),
    "6 M tokens a minute": (0.94, 1.00, 0.97, 0.97),
    "queue of 64, 1 s": (0.90, 0.98, 0.98, 0.98),
    "queue of 256, 4 s": (0.86, 0.96, 0.96, 0.96),
    "200/s, told by headers": (0.98, 0.98, 0.98, 0.98),
}
"""The share of the limit that is used at first, then, after it was halved, and after it was made four times that."""


def median(phases: Iterable[Phase], what: str) -> float:
    """Of all seeds."""
    return statistics.median(getattr(phase, what) for phase in phases)


@pytest.mark.parametrize("name", SHORT_SERVICES)
@pytest.mark.slow
def test_most_of_a_hidden_limit_is_used_and_it_is_seldom_hit(name: str) -> None:
    service = SERVICES[name]
    phases = run(service, 0, SHORT)
    assert 0.9 <= phases[1].share <= 1.05
    assert phases[1].refused <= 0.04
    if service.queue is not None:
        assert phases[1].latency <= 2.5 * service.latency, "it is not given more than it can work at"
    else:
        assert phases[2].share >= 0.8, "after the limit was halved"


@pytest.mark.parametrize("name", TABLE if LONG else ["3/s, 2 s"])
@pytest.mark.slow
def test_the_share_of_each_limit_is_as_in_the_table(name: str) -> None:
    spans = list(zip(*(run(SERVICES[name], seed) for seed in SEEDS), strict=True))
    for span, expected in zip(spans, TABLE[name], strict=True):
        assert expected - 0.03 <= median(span, "share") <= max(expected, 1.0) + 0.03
    assert median(spans[1], "refused") <= 0.04


def test_what_a_header_tells_is_kept_to() -> None:
    pace = Pace()
    pace.started(0.0, 1.0)
    pace.answered(1.0, 0.0, {"x-ratelimit-limit-requests": "600"})
    begun = 0
    now = 1.0
    while now < 11.0:
        wait = pace.wait(now, 1.0)
        if wait > 0:
            now += min(wait, 0.05)
            continue
        pace.started(now, 1.0)
        pace.answered(now, now)
        begun += 1
    assert 95 <= begun <= 101, "ten a second, less two percent"


def test_limits_of_the_configuration_are_kept_to() -> None:
    pace = Pace(requests_per_minute=60, max_window=2)
    assert pace.wait(0.0, 1.0) == 0.0
    pace.started(0.0, 1.0)
    assert 0.9 <= pace.wait(0.0, 1.0) <= 1.0
    pace.configure(None, None, 1)
    assert pace.wait(0.0, 1.0) == float("inf"), "one call is under way"


def test_a_call_that_did_not_begin_counts_for_nothing() -> None:
    def shown(others: int) -> tuple[float, ...]:
        pace = Pace(tokens_per_minute=600, max_window=10)
        pace.wait(0.0, 5.0)
        for _ in range(10):
            pace.started(0.0, 0.25)
        for _ in range(others):
            pace.started(0.0, 0.25)
        for _ in range(others):
            pace.undo(0.0, 0.25)
        waits = pace.wait(0.0, 5.0), pace.tokens.wait(0.0, 5.0)
        pace.refused(0.5, 0.0, 0.25)
        return (*waits, pace.in_flight, pace.requests.rate(2.0), pace.tokens.rate(2.0))

    assert shown(20) == shown(0)
    assert shown(0)[3] < math.inf, "the refusal has shown a rate"


def test_one_refusal_of_few_calls_does_not_slow_it_down() -> None:
    pace = Pace()
    pace.started(0.0, 1.0)
    pace.refused(0.1, 0.0, 1.0)
    assert pace.wait(0.1, 1.0) <= 0.201
    assert pace.wait(0.4, 1.0) == 0.0


def test_a_service_that_takes_nothing_is_tried_now_and_then() -> None:
    pace = Pace()
    now = 0.0
    tried = 0
    while now < 600.0:
        wait = pace.wait(now, 1.0)
        if wait > 0:
            now += wait
            continue
        pace.started(now, 1.0)
        now += 0.01
        pace.refused(now, now - 0.01, 1.0)
        tried += 1
    assert tried >= 10, "it is not given up"
    pace.started(now, 1.0)
    pace.answered(now + 0.1, now)
    assert pace.wait(now + 0.1, 1.0) <= 1.0, "it takes calls again, so nothing is known of its limit"


def test_a_limit_of_a_day_does_not_set_the_pace_and_one_of_a_second_does() -> None:
    def told(headers: dict[str, str], **meanings: LimitHeader) -> tuple[float, float]:
        pace = Pace(headers={name.replace("_", "-"): what for name, what in meanings.items()})
        pace.started(0.0, 1.0)
        pace.answered(0.1, 0.0, headers)
        return pace.requests.told, pace.tokens.told

    groq = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-limit-tokens": "6000"}
    inf = math.inf
    assert told(groq, x_ratelimit_limit_requests="requests a day", x_ratelimit_limit_tokens="tokens a minute") == (
        inf,
        98.0,
    )
    assert told({"x-ratelimit-limit": "10"}, x_ratelimit_limit="requests a second") == (9.8, inf)
    assert told({"x-ratelimit-limit": "unlimited"}, x_ratelimit_limit="requests a second") == (inf, inf)
