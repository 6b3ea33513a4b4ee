"""What requests would cost: the arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.model import Usage
from batchd.money.estimating import (
    GUESS,
    Advice,
    Answers,
    Basis,
    Habits,
    Load,
    Past,
    Quote,
    Span,
    advice,
    answers,
    cheapest_first,
    quote,
)
from batchd.money.pricing import UNIT, Rates, Step, Terms, amount
from batchd.values import replace

FLAT = Rates(input=2_000_000, cached_input=1_000_000, output=8_000_000)
HALF = Rates(input=1_000_000, cached_input=500_000, output=4_000_000)
TERMS = Terms(HALF, FLAT, "USD", "configuration")
STEPS = replace(FLAT, steps=(Step(1_000, 4_000_000, 1, 16_000_000),))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"limits": 5_000}, Answers(5_000, 2_500, Basis.HALF)),
        ({"limits": 5_000, "past": Past(10, 120)}, Answers(5_000, 1_200, Basis.PAST)),
        ({"limits": 5_000, "past": Past(10, 120), "expected": 3}, Answers(5_000, 300, Basis.GIVEN)),
        ({"limits": 5_000, "past": Past(0, 0)}, Answers(5_000, 2_500, Basis.HALF)),
        # Nothing is likelier than what is possible.
        ({"limits": 5_000, "past": Past(10, 9_000)}, Answers(5_000, 5_000, Basis.PAST)),
        ({"limits": 5_000, "expected": 99}, Answers(5_000, 5_000, Basis.GIVEN)),
        # Without a limit there is no most, which is not zero.
        ({"limits": 0, "unlimited": 100}, Answers(None, 100 * GUESS, Basis.GUESS)),
        ({"limits": 2_500, "unlimited": 50}, Answers(None, 1_250 + 50 * GUESS, Basis.GUESS)),
        ({"limits": 0, "unlimited": 100, "past": Past(10, 120)}, Answers(None, 1_200, Basis.PAST)),
        ({"limits": 0, "unlimited": 100, "silent": True}, Answers(0, 0, Basis.NONE)),
    ],
)
def test_how_long_the_answers_may_get(told: dict[str, object], expected: Answers) -> None:
    assert answers(100, **told) == expected  # type: ignore[arg-type]


def test_a_load_is_priced_at_once_where_rates_are_flat() -> None:
    load = Load(10_000, 1_000_000)
    assert load.cost(FLAT, 200_000) == FLAT.cost(Usage(1_000_000, 0, 200_000))


def test_long_requests_are_priced_one_by_one() -> None:
    load = Load(3, 500 + 1_000 + 1_001, (1_000, 1_001))
    expected = STEPS.cost(Usage(500, 0, 10)) + STEPS.cost(Usage(1_000, 0, 10)) + STEPS.cost(Usage(1_001, 0, 10))
    assert load.cost(STEPS, 30) == expected
    # The sum is far above the step; no request but one is.
    assert load.cost(STEPS, 30) < STEPS.cost(Usage(2_501, 0, 30))


def test_a_correction_may_lift_a_request_over_a_step() -> None:
    load = Load(1, 900, (900,))
    assert load.corrected(1.2).cost(STEPS, 0) == STEPS.cost(Usage(1_080, 0, 0)) > 1.2 * load.cost(STEPS, 0)


def test_a_part_that_was_counted_stands_for_all() -> None:
    quarter = Load(25, 2_500, (), 0.25)
    assert quarter.cost(FLAT, 1_000) == Load(100, 10_000).cost(FLAT, 1_000)
    assert quote("p", "m", TERMS, quarter, Answers(1_000, 500, Basis.HALF)).input_tokens == 10_000


@given(st.integers(1, 10**7), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_was_counted_whole_is_priced_to_the_last_grain(requests: int, tokens: int, output: int) -> None:
    usage = Usage(requests * tokens, 0, requests * output)
    assert Load(requests, usage.input_tokens).cost(FLAT, usage.output_tokens) == FLAT.cost(usage)


def test_no_requests_cost_nothing() -> None:
    assert Load(0, 0).cost(STEPS, 0) == 0


def test_a_quote_has_the_likely_and_the_most_on_both_terms() -> None:
    made = quote("p", "m", TERMS, Load(100, 10_000), Answers(5_000, 2_500, Basis.HALF))
    assert made.live == Span(FLAT.cost(Usage(10_000, 0, 2_500)), FLAT.cost(Usage(10_000, 0, 5_000)))
    assert made.batch == Span(HALF.cost(Usage(10_000, 0, 2_500)), HALF.cost(Usage(10_000, 0, 5_000)))
    assert made.saving == 0.5
    unlimited = quote("p", "m", TERMS, Load(100, 10_000), Answers(None, 2_500, Basis.GUESS))
    assert unlimited.batch is not None
    assert unlimited.batch.most is None


def test_an_unknown_price_is_not_zero_and_a_free_model_saves_nothing() -> None:
    unknown = quote("p", "m", None, Load(100, 10_000), Answers(5_000, 2_500, Basis.HALF))
    assert (unknown.batch, unknown.live, unknown.saving, unknown.input_tokens) == (None, None, None, 10_000)
    free = quote("p", "m", Terms(Rates(0, 0, 0), Rates(0, 0, 0), "USD", "x"), Load(1, 1), Answers(1, 1, Basis.HALF))
    assert (free.batch, free.saving) == (Span(0, 0), None)


def test_the_cheapest_comes_first_and_the_unknown_last() -> None:
    load, answered = Load(1, 1_000), Answers(100, 50, Basis.HALF)
    free = replace(TERMS, batch=Rates(0, 0, 0))
    named = {"dear": replace(TERMS, batch=FLAT), "unknown": None, "cheap": TERMS, "free": free}
    quotes = [quote("p", name, terms, load, answered) for name, terms in named.items()]
    assert [each.model for each in cheapest_first(quotes)] == ["free", "cheap", "dear", "unknown"]


def test_the_most_has_what_is_added_because_counting_is_a_guess() -> None:
    load = Load(3, 2_001, (1_001,))
    made = quote("p", "m", TERMS, load, Answers(300, 150, Basis.HALF), margin=1.25)
    plain = quote("p", "m", TERMS, load, Answers(300, 150, Basis.HALF))
    assert made.batch is not None
    assert plain.batch is not None
    assert made.batch.likely == plain.batch.likely
    assert made.batch.most == HALF.cost(Usage(2_502, 0, 300))  # 2,001 and a quarter, rounded up
    assert made.input_tokens == plain.input_tokens == 2_001
    # It may lift a request over a step.
    lifted = quote(
        "p", "m", Terms(STEPS, STEPS, "USD", "x"), Load(1, 900, (900,)), Answers(0, 0, Basis.NONE), margin=1.25
    )
    assert lifted.batch is not None
    assert lifted.batch.most == STEPS.cost(Usage(1_125, 0, 0))


# --- what costs ----------------------------------------------------------------------------------------------------

HABITS = Habits(requests=1_000, repeats=0, same=None, limit=50, past=None, whole=True)
QUOTED = quote("p", "m", TERMS, Load(1_000, 100_000), Answers(50_000, 25_000, Basis.HALF))
UNPRICED = quote("p", "m", None, Load(1_000, 100_000), Answers(50_000, 25_000, Basis.HALF))


def said(habits: Habits, quoted: Quote = QUOTED) -> list[Advice]:
    """The advice on 1,000 requests of 100 tokens."""
    return list(advice(habits, quoted, requests=1_000))


def test_there_is_nothing_to_say_of_thrifty_requests() -> None:
    assert said(HABITS) == []
    assert said(replace(HABITS, past=Past(500, 500 * 20), same=40.0, repeats=5)) == []


def test_a_limit_far_above_what_answers_use() -> None:
    [found] = said(replace(HABITS, limit=512, past=Past(2_000, 24_000)))
    over = amount(500 * 1_000 * HALF.output, "USD")
    assert found == Advice(
        "limit",
        "Answers of this route have used 12 tokens on average, and max_tokens allows 512. That costs nothing "
        f"unless an answer gets too long, but a budget must allow for it: up to {over} USD more. Lower it in the route's "
        "params.",
    )
    assert over == "2.00"
    [unpriced] = said(replace(HABITS, limit=512, past=Past(2_000, 24_000)), UNPRICED)
    assert "USD" not in unpriced.text
    # Near enough, or so short that it matters to nobody.
    assert said(replace(HABITS, limit=100, past=Past(1_000, 50_000))) == []
    assert said(replace(HABITS, limit=20, past=Past(1_000, 1_000))) == []


def test_answers_that_nothing_limits() -> None:
    [found] = said(replace(HABITS, limit=None, past=Past(2_000, 24_000)))
    assert (found.code, "set max_tokens" in found.text) == ("no_limit", True)
    # Without a past there is no telling what a good limit would be; the estimate says "without limit" anyway.
    assert said(replace(HABITS, limit=None)) == []


def test_a_prompt_that_dominates() -> None:
    dominated = replace(QUOTED, input_tokens=1_000 * 400)
    [found] = said(replace(HABITS, same=300.0), dominated)
    assert found == Advice(
        "same",
        "75% of the input is the same in every request: 300 tokens of the prompt, 100 of the row. It costs 0.30 USD. "
        "A shorter prompt is cheaper by as much for every row.",
    )
    assert said(replace(HABITS, same=190.0), dominated) == [], "less than half"
    assert said(replace(HABITS, same=99.0)) == [], "too short to matter"


def test_rows_that_repeat() -> None:
    [found] = said(replace(HABITS, repeats=250))
    assert QUOTED.batch is not None
    assert found == Advice(
        "repeats",
        "250 requests (25%) are the same as an earlier one in the file and cost about "
        f"{amount(QUOTED.batch.likely // 4, 'USD')} USD. With `reuse` in the route they are asked once.",
    )
    [sampled] = said(replace(HABITS, repeats=250, whole=False))
    assert "of the 1,000 that were counted" in sampled.text
    assert "cost" not in sampled.text, "nobody can tell from a sample"
    assert said(replace(HABITS, requests=0)) == []


def test_money_in_advice_is_that_of_a_batch() -> None:
    assert UNIT == 10**12
    [found] = said(replace(HABITS, same=100.0))
    assert f"It costs {amount(100 * 1_000 * HALF.input, 'USD')} USD" in found.text
