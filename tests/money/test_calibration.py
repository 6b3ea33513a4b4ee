"""The factor by which past batches correct the next estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.money.calibration import MAX_FACTOR, MIN_FACTOR, correction

SUM = st.integers(0, 10**15)


def test_without_a_past_nothing_is_corrected() -> None:
    assert correction(0, 0) == 1.0


@pytest.mark.parametrize(("estimated", "actual"), [(10**7, 13 * 10**6), (10**9, 9 * 10**8)])
def test_a_long_past_is_believed(estimated: int, actual: int) -> None:
    assert correction(estimated, actual) == pytest.approx(actual / estimated, rel=0.001)


def test_a_few_tokens_do_not_turn_an_estimate_over() -> None:
    assert correction(20, 100) == pytest.approx(1.0, abs=0.05)
    assert correction(20_000, 100_000) > 3


def test_an_odd_past_is_bounded() -> None:
    """A service that counts nothing, or in another unit."""
    assert correction(10**9, 0) == MIN_FACTOR
    assert correction(10**9, 10**13) == MAX_FACTOR
    assert correction(-5, -7) == 1.0


@given(SUM, SUM, SUM)
def test_it_is_bounded_and_more_used_is_never_a_smaller_factor(estimated: int, actual: int, more: int) -> None:
    assert MIN_FACTOR <= correction(estimated, actual) <= correction(estimated, actual + more) <= MAX_FACTOR
