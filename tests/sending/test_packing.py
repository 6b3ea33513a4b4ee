"""Which parts go into which batch: within every limit, in the order of arrival, none twice and none lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from batchd.contracts import Limits
from batchd.domain.records import QueuedPart
from batchd.sending.packing import MAX_OUTPUT_BYTES, Packing, pack, pack_live, piece_requests
from batchd.values import replace

ROOMY = Limits(max_requests=100, max_bytes=10_000)
NOW = 1_000.0


def part(first: int, requests: int = 10, **more: Any) -> QueuedPart:
    """A part that has waited longest, of a job that came at time 1."""
    given = {"claimed_at": 1.0, "job": "job", "size": requests * 10, "since": 0.0} | more
    return QueuedPart(first=first, requests=requests, **given)


def packed(packing: Packing) -> list[list[int]]:
    """The first rows of the parts in each batch."""
    return [[each.first for each in batch] for batch in packing.batches]


PARTS = st.builds(
    QueuedPart,
    claimed_at=st.floats(0, 10),
    job=st.sampled_from(["a", "b", "c"]),
    first=st.integers(0, 10_000),
    requests=st.integers(1, 40),
    size=st.integers(1, 3_000),
    input_tokens=st.integers(0, 500),
    output_tokens=st.integers(0, 3_000_000),
    since=st.floats(0, NOW),
    suspect=st.integers(0, 2) | st.just(0),
)
QUEUES = st.lists(PARTS, max_size=25, unique_by=lambda each: (each.job, each.first))
LIMITS = st.builds(
    Limits,
    max_requests=st.integers(5, 100),
    max_bytes=st.integers(100, 5_000),
    max_enqueued_tokens=st.none() | st.integers(1, 2_000),
)
FREE = st.none() | st.integers(-100, 2_000)


def test_what_comes_of_a_file_that_is_being_planned_waits_for_a_full_batch() -> None:
    early = [part(number * 30, 30, more=True) for number in range(4)]
    packing = pack(early, ROOMY, linger=0, steady=NOW)
    assert packed(packing) == [[0, 30, 60]], "a hundred do not go into it with the fourth"
    assert packing.again_at is None
    small = part(500, 1, job="other")
    assert packed(pack([*early[:2], small], ROOMY, linger=0, steady=NOW)) == [[0, 30, 500]], "others wait no longer"


@settings(deadline=None)
@given(QUEUES, LIMITS, st.floats(0, NOW), FREE)
def test_no_batch_exceeds_a_limit(queue: list[QueuedPart], limits: Limits, linger: float, free: int | None) -> None:
    for batch in pack(queue, limits, linger=linger, steady=NOW, free_tokens=free).batches:
        if len(batch) == 1 and batch[0].requests == 1:
            continue  # it cannot be cut any further, so only the service can refuse it
        assert sum(each.requests for each in batch) <= limits.max_requests
        assert sum(each.size for each in batch) <= limits.max_bytes
        assert sum(each.output_size for each in batch) <= MAX_OUTPUT_BYTES
        if limits.max_enqueued_tokens is not None:
            assert sum(each.input_tokens for each in batch) <= limits.max_enqueued_tokens


@settings(deadline=None)
@given(QUEUES, LIMITS, st.floats(0, NOW), FREE)
def test_every_part_is_in_one_batch_or_too_large_or_waits(
    queue: list[QueuedPart], limits: Limits, linger: float, free: int | None
) -> None:
    packing = pack(queue, limits, linger=linger, steady=NOW, free_tokens=free)
    placed = [each for batch in packing.batches for each in batch] + list(packing.too_large)
    assert len(placed) == len(set(placed))
    assert set(placed) <= set(queue)
    if free is None and packing.again_at is None:
        assert set(placed) == set(queue)


@settings(deadline=None)
@given(QUEUES, LIMITS, FREE)
def test_parts_go_in_the_order_they_came(queue: list[QueuedPart], limits: Limits, free: int | None) -> None:
    packing = pack(queue, limits, linger=0.0, steady=NOW, free_tokens=free)
    order = {each: place for place, each in enumerate(sorted(queue))}
    for batch in packing.batches:
        assert [order[each] for each in batch] == sorted(order[each] for each in batch)
    first = [order[batch[0]] for batch in packing.batches]
    assert first == sorted(first)


@settings(deadline=None)
@given(QUEUES, LIMITS, st.integers(0, 2_000))
def test_what_waits_for_tokens_is_overtaken_by_nobody(queue: list[QueuedPart], limits: Limits, free: int) -> None:
    assume(free != limits.max_enqueued_tokens)
    packing = pack(queue, limits, linger=0.0, steady=NOW, free_tokens=free)
    sent = {each for batch in packing.batches for each in batch}
    assert sum(each.input_tokens for each in sent) <= free
    left = [each for each in sorted(queue) if each not in sent and each not in packing.too_large]
    if left:
        assert all(each < left[0] for each in sent)


@given(QUEUES, LIMITS, st.floats(0, 100))
def test_the_order_in_which_they_are_given_does_not_matter(
    queue: list[QueuedPart], limits: Limits, linger: float
) -> None:
    forward = pack(queue, limits, linger=linger, steady=NOW)
    assert pack(reversed(queue), limits, linger=linger, steady=NOW) == forward


@given(QUEUES, LIMITS)
def test_a_part_out_of_bad_company_travels_alone(queue: list[QueuedPart], limits: Limits) -> None:
    for batch in pack(queue, limits, linger=0.0, steady=NOW).batches:
        assert len(batch) == 1 or not any(each.alone for each in batch)


def test_nothing_waits_when_nothing_is_there() -> None:
    assert pack([], ROOMY, linger=5.0, steady=NOW) == Packing([], [], None)


def test_a_batch_with_room_left_waits_for_company() -> None:
    queue = [part(0, since=NOW - 3), part(10, since=NOW - 1)]
    packing = pack(queue, ROOMY, linger=5.0, steady=NOW)
    assert not packing.batches
    assert packing.again_at == NOW + 2  # counted from the part that waits longest
    assert packed(pack(queue, ROOMY, linger=5.0, steady=NOW + 2)) == [[0, 10]]


@pytest.mark.parametrize("full", [part(0, 100), part(0, 1, size=9_600)], ids=["requests", "bytes"])
def test_a_full_batch_goes_at_once(full: QueuedPart) -> None:
    packing = pack([full], ROOMY, linger=3_600.0, steady=0.0)
    assert packed(packing) == [[0]]
    assert packing.again_at is None


def test_a_batch_that_the_next_part_does_not_fit_into_goes_at_once_and_the_next_one_lingers() -> None:
    packing = pack([part(0, 60), part(60, 60)], ROOMY, linger=3_600.0, steady=NOW)
    assert packed(packing) == [[0]]
    assert packing.again_at == 3_600.0


def test_small_jobs_share_and_a_big_one_is_cut() -> None:
    queue = [part(first, 40) for first in range(0, 200, 40)]
    queue += [part(0, 15, job="small", claimed_at=2.0), part(0, 5, job="tiny", claimed_at=3.0)]
    packing = pack(queue, ROOMY, linger=0.0, steady=NOW)
    assert [sorted({each.job for each in batch}) for batch in packing.batches] == [
        ["job", "small", "tiny"],  # there was room beside its two parts
        ["job"],
        ["job"],
    ]


def test_a_part_larger_than_a_limit_comes_back_and_the_others_go() -> None:
    packing = pack([part(0, 101), part(200, 5)], ROOMY, linger=0.0, steady=NOW)
    assert [each.first for each in packing.too_large] == [0]
    assert packed(packing) == [[200]]


def test_a_single_request_is_never_too_large_because_it_cannot_be_cut() -> None:
    giant = part(0, 1, size=1_000_000, input_tokens=5_000)
    limits = Limits(max_requests=100, max_bytes=10_000, max_enqueued_tokens=100)
    assert packed(pack([giant, part(1)], limits, linger=0.0, steady=NOW)) == [[0], [1]]


def test_answers_too_long_to_download_split_a_batch() -> None:
    long = [part(first, 10, output_tokens=15_000_000) for first in range(0, 30, 10)]
    assert packed(pack(long, ROOMY, linger=0.0, steady=NOW)) == [[0], [10], [20]]


def test_what_does_not_fit_into_the_free_tokens_waits() -> None:
    queue = [part(first, input_tokens=400) for first in range(0, 50, 10)]
    limits = Limits(max_enqueued_tokens=2_000)
    assert packed(pack(queue, limits, linger=0.0, steady=NOW, free_tokens=900)) == [[0, 10]]
    assert not pack(queue, limits, linger=0.0, steady=NOW, free_tokens=399).batches
    assert not pack(queue, limits, linger=0.0, steady=NOW, free_tokens=-5).batches


def test_a_request_larger_than_the_whole_quota_goes_once_nothing_else_is_enqueued() -> None:
    queue = [part(0, 1, input_tokens=5_000), part(1, 1, input_tokens=1)]
    limits = Limits(max_enqueued_tokens=2_000)
    assert not pack(queue, limits, linger=0.0, steady=NOW, free_tokens=1_999).batches
    assert packed(pack(queue, limits, linger=0.0, steady=NOW, free_tokens=2_000)) == [[0]]


def test_a_part_that_travels_alone_counts_against_the_free_tokens_too() -> None:
    queue = [part(0, input_tokens=400, suspect=1), part(10, input_tokens=400)]
    limits = Limits(max_enqueued_tokens=2_000)
    assert packed(pack(queue, limits, linger=0.0, steady=NOW, free_tokens=700)) == [[0]]


@settings(deadline=None)
@given(
    st.builds(
        QueuedPart,
        claimed_at=st.just(0.0),
        job=st.just("a"),
        first=st.just(0),
        requests=st.integers(2, 50_000),
        size=st.integers(1, 10**9),
        input_tokens=st.integers(0, 10**8),
        output_tokens=st.integers(0, 10**8),
    ),
    LIMITS,
)
def test_the_pieces_of_an_even_part_fit(whole: QueuedPart, limits: Limits) -> None:
    rows = piece_requests(whole, limits)
    assert 1 <= rows < whole.requests

    def share(total: int) -> int:
        return total * rows // whole.requests

    piece = QueuedPart(0.0, "a", 0, rows, share(whole.size), share(whole.input_tokens), share(whole.output_tokens))
    if rows == 1:
        return
    packing = pack([piece], limits, linger=0.0, steady=NOW)
    # Rounding up to whole rows may leave a piece of few rows too large; it is then cut again, until it fits.
    if packing.too_large:
        assert rows < whole.requests
    else:
        assert list(packing.batches) == [[piece]]


def test_a_part_too_large_by_its_bytes_is_cut_a_little_smaller_so_that_uneven_pieces_fit_too() -> None:
    assert piece_requests(part(0, 50, size=100_000), ROOMY) == 4
    assert piece_requests(part(0, 2, size=100_000), ROOMY) == 1


@pytest.mark.field("account refusals")
@pytest.mark.parametrize(("rows", "most", "batches"), [(2_000, 250, 8), (300, 100, 3), (101, 100, 2), (1_000, 333, 4)])
def test_a_part_with_too_many_requests_is_cut_into_full_batches(rows: int, most: int, batches: int) -> None:
    limits = Limits(max_requests=most)
    piece = piece_requests(part(0, rows), limits)
    parts = [part(first, min(piece, rows - first)) for first in range(0, rows, piece)]
    assert len(pack(parts, limits, linger=0.0, steady=NOW).batches) == batches


@pytest.mark.field("account refusals")
def test_what_is_left_of_each_large_part_fills_batches_too() -> None:
    limits = Limits(max_requests=250)
    parts = [part(first, 250 if first % 300 == 0 else 50) for first in range(0, 2_000, 50) if first % 300 in {0, 250}]
    assert sum(each.requests for each in parts) == 2_050
    assert len(pack(parts, limits, linger=0.0, steady=NOW).batches) == 9


def test_the_wait_of_a_route_with_priority_counts_more() -> None:
    limits = Limits(max_requests=10)

    def order(now: float) -> list[int]:
        plain = part(0, claimed_at=0.0)
        first = replace(part(1, claimed_at=6.0), priority=3)
        return [batch[0].first for batch in pack([plain, first], limits, linger=0.0, steady=0.0, now=now).batches]

    assert order(8.0) == [0, 1], "8 seconds are more than three times 2"
    assert order(10.0) == [1, 0], "10 seconds are less than three times 4"
    live = [part(0, job="plain", claimed_at=0.0), replace(part(1, job="first", claimed_at=6.0), priority=3)]
    assert [each.job for each in pack_live(live, {}, now=10.0)] == ["first", "plain"]
    assert [each.job for each in pack_live(live, {}, now=8.0)] == ["plain", "first"]
