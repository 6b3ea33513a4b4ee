"""What refusals teach about how much may be enqueued."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.contracts import Limits
from batchd.sending.named_limits import LimitKind
from batchd.sending.quota import FIRST_PAUSE, MAX_PAUSE, SMALLEST_SHARE, Quotas

LANE = ("acme", "small")
OTHER = ("acme", "large")


def test_nothing_learnt_means_what_the_operator_said() -> None:
    quotas = Quotas()
    assert quotas.limit(LANE, None) is None
    assert quotas.limit(LANE, 5_000) == 5_000
    assert quotas.paused_until(LANE) == 0.0
    assert quotas.learnt() == {}


@pytest.mark.parametrize(
    ("said", "enqueued", "limit"),
    [
        (None, 1_000, 800),  # a fifth less than what was refused
        (90_000, 120_000, 90_000),  # its own word, where ours was above it
        (90_000, 50_000, 40_000),  # our count is a guess that was too low: less than we had
        (90_000, 100, 90_000 // SMALLEST_SHARE),  # others fill it for now: never less than a share
        (None, 1, 1),
        (None, 0, 1),
        (10, 0, 1),
    ],
)
def test_a_refusal_lowers_the_limit(said: int | None, enqueued: int, limit: int) -> None:
    quotas = Quotas()
    quotas.refused(LANE, named=said, enqueued=enqueued, steady=0.0)
    assert quotas.limit(LANE, None) == limit


def test_the_operators_limit_still_counts_where_it_is_lower() -> None:
    quotas = Quotas()
    quotas.refused(LANE, named=90_000, enqueued=120_000, steady=0.0)
    assert quotas.limit(LANE, 50_000) == 50_000
    assert quotas.limit(LANE, 500_000) == 90_000


def test_each_refusal_pauses_the_queue_for_longer_and_no_other() -> None:
    quotas = Quotas()
    pauses = []
    for _ in range(12):
        quotas.refused(LANE, named=None, enqueued=1_000, steady=100.0)
        pauses.append(quotas.paused_until(LANE) - 100.0)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE
    assert quotas.paused_until(OTHER) == 0.0
    assert quotas.limit(OTHER, None) is None


def test_what_got_through_raises_the_limit_a_little_and_ends_the_pause() -> None:
    quotas = Quotas()
    quotas.refused(LANE, named=None, enqueued=1_000, steady=100.0)
    quotas.accepted(LANE)
    assert quotas.limit(LANE, None) == 840
    assert quotas.paused_until(LANE) == 0.0
    quotas.refused(LANE, named=None, enqueued=1_000, steady=100.0)
    assert quotas.paused_until(LANE) == 100.0 + FIRST_PAUSE


def test_what_got_through_where_nothing_was_refused_teaches_nothing() -> None:
    quotas = Quotas()
    quotas.accepted(LANE)
    assert quotas.learnt() == {}


@given(
    st.lists(st.none() | st.tuples(st.none() | st.integers(1, 10**7), st.integers(0, 10**7)), min_size=1, max_size=30)
)
def test_a_limit_is_always_one_that_something_fits_into(story: list[tuple[int | None, int] | None]) -> None:
    quotas = Quotas()
    for step in story:
        if step is None:
            before = quotas.limit(LANE, None)
            quotas.accepted(LANE)
            after = quotas.limit(LANE, None)
            assert (before is None) == (after is None)
            assert before is None or (after is not None and after > before)
        else:
            quotas.refused(LANE, named=step[0], enqueued=step[1], steady=0.0)
            limit = quotas.limit(LANE, None)
            assert limit is not None
            assert limit >= 1
            assert step[0] is None or limit <= step[0]


@given(st.integers(10, 10**7))
def test_the_same_is_not_sent_again_after_it_was_refused(enqueued: int) -> None:
    quotas = Quotas()
    quotas.refused(LANE, named=None, enqueued=enqueued, steady=0.0)
    limit = quotas.limit(LANE, None)
    assert limit is not None
    assert limit < enqueued


@pytest.mark.field("account refusals")
def test_refusals_of_batches_that_were_sent_before_the_last_one_count_once() -> None:
    quotas = Quotas()
    for _ in range(7):
        quotas.refused(LANE, named=90_000, enqueued=120_000, steady=100.0, now=1_000.0, sent_at=999.0)
    assert quotas.paused_until(LANE) == 100.0 + FIRST_PAUSE
    assert quotas.limit(LANE, None) == 90_000
    quotas.refused(LANE, named=90_000, enqueued=90_000, steady=200.0, now=1_100.0, sent_at=1_050.0)
    assert quotas.paused_until(LANE) == 200.0 + 2 * FIRST_PAUSE


@pytest.mark.field("account refusals")
def test_room_that_a_batch_of_ours_frees_is_used_at_once() -> None:
    quotas = Quotas()
    quotas.refused(LANE, named=90_000, enqueued=120_000, steady=100.0)
    quotas.freed(LANE)
    assert quotas.paused_until(LANE) == 0.0
    assert quotas.limit(LANE, None) == 90_000


@pytest.mark.field("account refusals")
@pytest.mark.parametrize(
    ("named", "had", "limit"), [(500, 2_000, 500), (None, 2_000, 1_000), (5_000, 2_000, 1_600), (None, 1, 1)]
)
def test_limits_of_a_batch_are_learnt_and_kept(named: int | None, had: int, limit: int) -> None:
    quotas = Quotas()
    quotas.too_large(LANE, LimitKind.REQUESTS, named=named, had=had)
    assert quotas.limits(LANE, Limits()).max_requests == limit
    assert quotas.limits(LANE, Limits(max_requests=1)).max_requests == 1
    assert quotas.limits(OTHER, Limits()) == Limits()
    assert quotas.changed == {LANE}
    later = Quotas()
    later.restore(quotas.learnt())
    assert later.limits(LANE, Limits()).max_requests == limit


@pytest.mark.parametrize("kind", [LimitKind.REQUESTS, LimitKind.BYTES])
@pytest.mark.parametrize(("named", "limits"), [(5, [500, 25, 5]), (400, [500, 400]), (1, [500, 25, 1])])
def test_a_limit_that_may_be_misread_is_reached_in_a_few_refusals_and_not_in_one(
    kind: LimitKind, named: int, limits: list[int]
) -> None:
    # "5 000" read as 5: batches of 5 would pass, so nothing would ever raise the limit.
    quotas, had, learnt = Quotas(), 10_000, []
    while had > named:
        quotas.too_large(LANE, kind, named=named, had=had)
        now = quotas.of(LANE)
        had = (now.requests if kind is LimitKind.REQUESTS else now.size) or 0
        learnt.append(had)
    assert learnt == limits


@pytest.mark.field("account refusals")
def test_few_batches_are_under_way_until_some_have_passed_validation() -> None:
    quotas = Quotas()
    assert quotas.window(LANE) == 3
    for _ in range(5):
        quotas.accepted(LANE)
    assert quotas.window(LANE) == 10
    quotas.refused(LANE, named=None, enqueued=10, steady=0.0)
    assert quotas.window(LANE) == 3
