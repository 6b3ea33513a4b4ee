"""Rates that depend on the length of a request, and the terms that are kept with a job."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.model import Usage
from batchd.money.pricing import Rates, Step, Terms

TIERED = Rates(input=3, cached_input=1, output=15, steps=(Step(200, 6, 2, 22), Step(1_000, 12, 4, 45)))


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(200, 0, 1), 200 * 3 + 15),
        (Usage(201, 0, 1), 201 * 6 + 22),  # the whole request, not only what is above
        (Usage(1_000, 0, 1), 1_000 * 6 + 22),
        (Usage(1_001, 100, 1), 901 * 12 + 100 * 4 + 45),
        (Usage(0, 0, 500), 500 * 15),  # the length of the answer decides nothing
    ],
)
def test_a_long_request_is_priced_at_other_rates_as_a_whole(usage: Usage, cost: int) -> None:
    assert TIERED.cost(usage) == cost


def test_only_rates_without_steps_may_price_a_sum() -> None:
    assert TIERED.tiered
    assert not Rates(3, 1, 15).tiered
    two = Usage(150, 0, 1) + Usage(150, 0, 1)
    assert TIERED.cost(two) != 2 * TIERED.cost(Usage(150, 0, 1))


def test_the_most_is_that_of_the_steps_that_a_request_can_reach() -> None:
    total = Usage(100_000, 0, 10)
    assert TIERED.most(total, longest=200) == TIERED.most(total, longest=0) == 100_000 * 3 + 10 * 15
    assert TIERED.most(total, longest=201) == 100_000 * 6 + 10 * 22
    assert TIERED.most(total) == 100_000 * 12 + 10 * 45
    assert Rates(3, 1, 15).most(total) == Rates(3, 1, 15).cost(total)


COUNT = st.integers(0, 3_000)
STEPS = st.lists(st.tuples(st.integers(0, 2_500), COUNT, COUNT, COUNT), max_size=3, unique_by=lambda step: step[0])
RATES = st.builds(
    lambda each, steps: Rates(*each, steps=tuple(Step(*step) for step in sorted(steps))),
    st.tuples(COUNT, COUNT, COUNT),
    STEPS,
)


@given(RATES, st.lists(st.tuples(COUNT, COUNT)))
def test_no_way_to_split_a_sum_costs_more_than_the_most(rates: Rates, requests: list[tuple[int, int]]) -> None:
    usages = [Usage(tokens, 0, output) for tokens, output in requests]
    total = sum(usages, Usage())
    longest = max((usage.input_tokens for usage in usages), default=0)
    cost = sum(rates.cost(usage) for usage in usages)
    assert cost <= rates.most(total, longest=longest) <= rates.most(total)


@given(RATES, RATES)
def test_terms_come_back_from_where_they_are_kept(batch: Rates, live: Rates) -> None:
    terms = Terms(batch, live, "USD", "configuration")
    kept = msgspec.json.decode(msgspec.json.encode(terms.to_json()))
    assert Terms.from_json(kept) == terms
    assert all(earlier.above < later.above for earlier, later in pairwise(terms.batch.steps))


def test_keys_that_a_later_version_keeps_are_passed_over() -> None:
    kept = Terms(TIERED, TIERED, "EUR", "x").to_json()
    kept["more"] = kept["batch"]["steps"][0]["more"] = kept["live"]["more"] = 1
    assert Terms.from_json(kept) == Terms(TIERED, TIERED, "EUR", "x")
