"""When a job is late, and what it can cost at most from then on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.domain.records import Batch, BatchState
from batchd.sending.deadlines import earliest, late_from, reserved_when_cut

HOUR = 3_600.0


def batch(**counts: int) -> Batch:
    """A batch of 100 requests that is under way."""
    facts: dict[str, Any] = {"provider": "acme", "model": "m", "endpoint": "/v1/chat/completions"}
    return Batch(
        key="b", state=BatchState.SUBMITTED, requests=100, size=1, input_tokens=1, created_at=0.0, **facts, **counts
    )


def test_what_is_left_is_time_to_stop_the_batch_and_to_call_for_each_row() -> None:
    assert late_from(0.0, 6 * HOUR, rows=0) == 6 * HOUR - 600
    assert late_from(0.0, 6 * HOUR, rows=6_000) == 6 * HOUR - 1_200
    assert late_from(0.0, 6 * HOUR, rows=6_000, calls_a_minute=10) == 6 * HOUR / 2
    assert late_from(0.0, 6 * HOUR, rows=6_000, calls_a_minute=6_000) == 6 * HOUR - 660


def test_batches_have_half_of_the_time_however_many_rows_there_are() -> None:
    assert late_from(50.0, 10.0, rows=1_000_000) == earliest(50.0, 10.0) == 55.0


@given(st.floats(1, 1e7), st.integers(0, 10**7), st.none() | st.integers(1, 10**6))
def test_no_job_is_late_before_the_earliest_moment_or_after_its_deadline(
    within: float, rows: int, rpm: int | None
) -> None:
    at = late_from(1_000.0, within, rows=rows, calls_a_minute=rpm)
    assert earliest(1_000.0, within) <= at <= 1_000.0 + within


def test_more_rows_are_late_sooner() -> None:
    assert late_from(0.0, HOUR, rows=5_000) < late_from(0.0, HOUR, rows=50)


@pytest.mark.parametrize(
    ("counts", "most"),
    [({}, 200), ({"total": 100, "completed": 40}, 160), ({"total": 100, "completed": 100}, 100)],
)
def test_what_the_batch_has_answered_costs_what_a_batch_costs(counts: dict[str, int], most: int) -> None:
    assert reserved_when_cut(batch(**counts), before=100, after=200) == most


def test_a_service_that_counts_too_much_frees_no_more_than_all_of_it() -> None:
    assert reserved_when_cut(batch(total=10, completed=5_000), before=100, after=200) == 100
    assert reserved_when_cut(batch(total=0, completed=50), before=100, after=200) == 150
