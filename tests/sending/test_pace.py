"""The pace against services with hidden limits, in virtual time: how much of each limit is used, how often it is hit."""

from __future__ import annotations

import os
import statistics

import pytest

from batchd.sending.pace import Pace

from .pace_simulation import SERVICES, Phase, Spans, run

LONG = os.environ.get("BATCHD_LONG") == "1"
SEEDS = range(5) if LONG else range(1)
SHORT = Spans(halved=60, quadrupled=90, measured=((0, 30), (30, 60), (60, 90), (120, 130)))
SHORT_SERVICES = ("200/s, 1 s, no header", "3/s, 2 s", "queue of 64, 1 s")


def median(phases: list[Phase], what: str) -> float:
    """Of all seeds."""
    return statistics.median(getattr(phase, what) for phase in phases)


@pytest.mark.parametrize("name", SHORT_SERVICES if not LONG else SERVICES)
def test_most_of_a_hidden_limit_is_used_and_it_is_seldom_hit(name: str) -> None:
    spans = Spans() if LONG else SHORT
    service = SERVICES[name]
    runs = [run(service, seed, spans) for seed in SEEDS]
    steady = [phases[1] for phases in runs]
    assert 0.9 <= median(steady, "share") <= 1.05
    assert median(steady, "refused") <= 0.04
    if service.queue is not None:
        assert median(steady, "latency") <= 2.5 * service.latency, "it is not given more than it can work at"
    if service.queue is None:
        assert median([phases[2] for phases in runs], "share") >= 0.8, "after the limit was halved"


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
