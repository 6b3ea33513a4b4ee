"""What answers cost, added up one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchd.model import Usage
from batchd.money.lanes import Lane
from batchd.money.pricing import Rates, Step, Terms
from batchd.money.spending import Bill, Tally

TOKENS = st.integers(0, 5_000)
ANSWERS = st.lists(st.tuples(st.builds(Usage, TOKENS, TOKENS, TOKENS), st.booleans()), max_size=20)
FLAT = Terms(Rates(2, 1, 6), Rates(4, 2, 12), "USD", "configuration")
TIERED = Terms(Rates(2, 1, 6, (Step(1_000, 4, 2, 9),)), Rates(4, 2, 12), "USD", "configuration")


def bill(terms: Terms | None, answers: list[tuple[Usage, bool]], lane: Lane = Lane.BATCH) -> Bill:
    """The bill for these answers."""
    tally = Tally(terms, lane)
    for usage, wasted in answers:
        tally.add(usage, wasted=wasted)
    return tally.bill()


@given(ANSWERS, st.sampled_from([FLAT, TIERED]), st.sampled_from(Lane))
def test_the_sum_is_that_of_the_answers_each_priced_by_itself(
    answers: list[tuple[Usage, bool]], terms: Terms, lane: Lane
) -> None:
    whole, rates = bill(terms, answers, lane), {Lane.BATCH: terms.batch, Lane.LIVE: terms.live}[lane]
    assert whole.answers == len(answers)
    assert whole.cost == sum(rates.cost(usage) for usage, _ in answers)
    assert whole.live_cost == sum(terms.live.cost(usage) for usage, _ in answers)
    assert whole.wasted_cost == sum(rates.cost(usage) for usage, wasted in answers if wasted)
    assert whole.usage.input_tokens == sum(usage.input_tokens for usage, _ in answers)
    assert whole.wasted.output_tokens == sum(usage.output_tokens for usage, wasted in answers if wasted)


@given(ANSWERS)
def test_what_is_not_known_is_not_nothing(answers: list[tuple[Usage, bool]]) -> None:
    whole = bill(None, answers)
    assert (whole.cost, whole.wasted_cost, whole.live_cost) == (None, None, None)
    assert whole.usage.output_tokens == sum(usage.output_tokens for usage, _ in answers)


def test_more_cached_tokens_than_there_are_do_not_make_another_answer_cheaper() -> None:
    whole = bill(FLAT, [(Usage(10, 50, 0), False), (Usage(10, 0, 0), False)])
    assert whole.cost == 10 * 1 + 10 * 2
