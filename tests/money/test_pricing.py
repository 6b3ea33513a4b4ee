"""What tokens cost, to the last grain."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.model import Usage
from batchd.money.budget import counted
from batchd.money.lanes import Lane
from batchd.money.pricing import SMALL_UNIT, UNIT, Price, Rates, Step, Terms, amount, at_most, unit


def price(given_input: str, output: str, **more: str) -> Price:
    """A price per million tokens."""
    return Price(Decimal(given_input), Decimal(output), **{key: Decimal(value) for key, value in more.items()})


@pytest.mark.parametrize(
    ("given_input", "output", "batch", "live"),
    [("2.50", "10.00", "2.25", "4.50"), ("8.00", "8.00", "4.80", "9.60"), ("0.42", "2.10", "0.42", "0.84")],
)
def test_ten_thousand_short_requests_as_a_batch_and_live(given_input: str, output: str, batch: str, live: str) -> None:
    """10,000 requests of 100 input and 20 output tokens, at prices per million, half of them off in a batch."""
    usage = Usage(input_tokens=10_000 * 100, output_tokens=10_000 * 20)
    terms = price(given_input, output, batch_discount="0.5")
    assert amount(terms.rates("USD", Lane.BATCH).cost(usage), "USD") == batch
    assert amount(terms.rates("USD", Lane.LIVE).cost(usage), "USD") == live
    # The same, row by row: a sum of rows is the price of the sum.
    one = terms.rates("USD", Lane.BATCH).cost(Usage(input_tokens=100, output_tokens=20))
    assert 10_000 * one == terms.rates("USD", Lane.BATCH).cost(usage)


def test_a_batch_costs_what_live_calls_do_unless_told_otherwise() -> None:
    assert price("2", "8").rates("USD", Lane.BATCH) == price("2", "8").rates("USD", Lane.LIVE)
    assert price("2", "8", batch_discount="0.2").rates("USD", Lane.BATCH) == Rates(1_600_000, 1_600_000, 6_400_000)
    assert price("2", "8", batch_discount="0.5").rates("USD", Lane.BATCH) == Rates(1_000_000, 1_000_000, 4_000_000)


def test_cached_tokens_have_a_price_of_their_own_and_are_part_of_the_input() -> None:
    rates = price("2", "8", cached_input="0.5").rates("USD", Lane.LIVE)
    assert rates.cost(Usage(input_tokens=1_000_000, cached_tokens=400_000)) == (12 * UNIT + 2 * UNIT) // 10
    # A service that counts more cached tokens than tokens does not get money back.
    assert rates.cost(Usage(input_tokens=10, cached_tokens=99)) == rates.cost(Usage(input_tokens=10, cached_tokens=10))


def test_explicit_prices_of_a_batch_win_over_the_discount() -> None:
    terms = price("2", "8", cached_input="0.5", batch_input="0.9", batch_output="3")
    assert terms.rates("USD", Lane.BATCH) == Rates(input=900_000, cached_input=500_000, output=3_000_000)
    assert terms.rates("USD", Lane.LIVE) == Rates(input=2_000_000, cached_input=500_000, output=8_000_000)
    # Cached input is never dearer than input.
    assert price("2", "8", cached_input="1", batch_input="0.9").rates("USD", Lane.BATCH).cached_input == 900_000


@pytest.mark.parametrize(
    ("subunits", "text"),
    [
        (0, "0.00"),
        (UNIT, "1.00"),
        (12_345 * UNIT // 1_000, "12.34"),
        (UNIT // 2, "0.50"),
        (UNIT * 21 // 10_000, "0.0021"),
        (UNIT // 1_000_000, "0.000001"),
        (1, "0.00"),
        (UNIT - 1, "1.00"),
        (1_234_567 * UNIT, "1234567.00"),
    ],
)
def test_amounts_as_people_write_them(subunits: int, text: str) -> None:
    assert amount(subunits, "USD") == text


@pytest.mark.parametrize(
    ("units", "text"),
    [("1", "1.00"), ("850000000", "850000000.00"), ("12.345", "12.34"), ("0.0021", "0.0021"), ("0.000001", "0.000001")],
)
def test_amounts_of_a_small_unit_are_written_as_any(units: str, text: str) -> None:
    assert unit("VND") == SMALL_UNIT == 10**9
    assert counted(units, "VND") == Decimal(units) * SMALL_UNIT
    assert amount(counted(units, "VND"), "VND") == text


def test_sums_of_small_units_fit_into_a_database() -> None:
    """What is worth a million dollars can be summed in any of them; nothing is lost of what one token costs."""
    assert counted(9_200_000_000, "VND") < 2**63 <= counted(9_300_000, "USD")
    rates = price("2500.125", "65000", batch_discount="0.5").rates("VND", Lane.LIVE)
    assert rates == Rates(2_500_125, 2_500_125, 65_000_000)
    assert amount(rates.cost(Usage(input_tokens=8_000_000_000)), "VND") == "20001000.00"
    assert price("2500", "65000", batch_discount="0.5").rates("VND", Lane.BATCH) == Rates(
        1_250_000, 1_250_000, 32_500_000
    )


@given(st.integers(0, 10**20), st.sampled_from(["USD", "VND"]))
def test_an_amount_at_most_is_never_less(subunits: int, currency: str) -> None:
    said = counted(at_most(subunits, currency), currency)
    step = unit(currency) // (100 if subunits >= unit(currency) else 1_000_000)
    assert 0 <= said - subunits < step


PRICES = st.decimals(0, 1_000, places=6)
USAGES = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**9),
    cached_tokens=st.integers(0, 10**9),
    output_tokens=st.integers(0, 10**9),
)


@given(PRICES, PRICES, USAGES)
def test_prices_of_six_decimals_are_exact(given_input: Decimal, output: Decimal, usage: Usage) -> None:
    terms = Price(given_input, output, batch_discount=Decimal("0.5"))
    exact = (Fraction(given_input) * usage.input_tokens + Fraction(output) * usage.output_tokens) / 1_000_000
    assert Fraction(terms.rates("USD", Lane.LIVE).cost(usage), UNIT) == exact
    # Half of an odd last decimal is rounded, once per token rate: less than one part in a million of the price.
    assert abs(Fraction(terms.rates("USD", Lane.BATCH).cost(usage), UNIT) - exact / 2) <= Fraction(
        usage.input_tokens + usage.output_tokens, 2 * UNIT
    )


@given(PRICES, PRICES, st.lists(USAGES, max_size=8))
def test_no_order_or_grouping_of_sums_changes_them(given_input: Decimal, output: Decimal, parts: list[Usage]) -> None:
    rates = Price(given_input, output, cached_input=given_input).rates("USD", Lane.BATCH)
    whole = sum(parts, Usage())
    assert sum(rates.cost(each) for each in parts) == rates.cost(whole)
    assert isinstance(rates.cost(whole), int)


@given(PRICES, PRICES, USAGES, st.decimals(0, 1, places=2))
def test_a_batch_is_never_dearer_than_live(
    given_input: Decimal, output: Decimal, usage: Usage, discount: Decimal
) -> None:
    terms = Price(given_input, output, batch_discount=discount)
    assert terms.rates("USD", Lane.BATCH).cost(usage) <= terms.rates("USD", Lane.LIVE).cost(usage)


def test_which_rates_apply_is_a_question_of_the_lane() -> None:
    step = Step(1_000, 4, 2, 9)
    terms = Terms(Rates(1, 1, 3, (step,)), Rates(2, 2, 6), "USD", "configuration")
    assert terms.at(Lane.BATCH) == Rates(1, 1, 3, (step,))
    assert terms.at(Lane.LIVE) == Rates(2, 2, 6)
    assert terms.at(Lane.LIVE, when=0.0) == Rates(2, 2, 6)
    assert (terms.steps, terms.tiered) == ((step,), True)
