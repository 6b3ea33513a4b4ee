"""How long to wait: longer each time, up to a limit, and as long as the service asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.sending.backoff import MAX_ASKED, MAX_DELAY, delay, poll_delay

FAILURES = st.integers(1, 10_000)
JITTER = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("failures", "waited"), [(1, 1), (2, 2), (3, 4), (4, 8), (9, 256), (10, 300), (11, 300), (5_000, 300)]
)
def test_it_doubles_from_a_second_to_five_minutes(failures: int, waited: float) -> None:
    assert delay(failures, jitter=0.0) == waited


@given(FAILURES, JITTER)
def test_chance_takes_up_to_a_quarter_off(failures: int, jitter: float) -> None:
    whole = delay(failures, jitter=0.0)
    assert whole * 0.75 <= delay(failures, jitter=jitter) <= whole <= MAX_DELAY


@given(FAILURES, JITTER, st.floats(0.001, 1e9))
def test_never_sooner_than_the_service_asked_up_to_an_hour(failures: int, jitter: float, asked: float) -> None:
    waited = delay(failures, jitter=jitter, retry_after=asked)
    assert min(asked, MAX_ASKED) <= waited <= MAX_ASKED


def test_after_the_first_failure_the_service_is_taken_at_its_word() -> None:
    assert delay(1, jitter=0.0, retry_after=0.2) == 0.2
    assert delay(1, jitter=0.9, retry_after=17.0) == 17.0


def test_a_service_that_keeps_saying_soon_is_not_hammered() -> None:
    assert delay(8, jitter=0.0, retry_after=0.01) == 128


@pytest.mark.parametrize("asked", [None, 0, -5.0])
def test_a_service_that_asks_for_nothing_gets_our_own_wait(asked: float | None) -> None:
    assert delay(3, jitter=0.0, retry_after=asked) == 4


@pytest.mark.parametrize(("age", "waited"), [(0, 30), (60, 30), (1_500, 30), (3_000, 60), (15_000, 300), (1e6, 300)])
def test_young_batches_are_looked_at_soon_and_old_ones_every_five_minutes(age: float, waited: float) -> None:
    assert poll_delay(age, least=30.0, jitter=0.0) == pytest.approx(waited)


@given(st.floats(0, 1e7), st.floats(0.1, 3_600), JITTER)
def test_polls_keep_the_operators_pace(age: float, least: float, jitter: float) -> None:
    assert least * 0.9 <= poll_delay(age, least=least, jitter=jitter) <= max(least, MAX_DELAY)
