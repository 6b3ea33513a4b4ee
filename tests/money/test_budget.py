"""What may be sent: never what could go over a limit, and never held what certainly could not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.money.budget import (
    MAX_AMOUNT,
    UNSURE,
    Account,
    Ceilings,
    SpendingLimits,
    beginnings,
    counted,
    find_refusal,
    reserved,
)
from batchd.money.pricing import UNIT, Rates, Step
from batchd.values import replace

MONEY = st.integers(0, 20).map(lambda units: units * UNIT)
LIMIT = st.none() | MONEY
CEILINGS = st.builds(Ceilings, LIMIT, LIMIT, LIMIT)
ACCOUNTS = st.builds(
    Account,
    job=MONEY,
    today=MONEY,
    month=MONEY,
    reserved=MONEY,
    provider_today=MONEY,
    provider_month=MONEY,
    provider_reserved=MONEY,
    route_today=MONEY,
    route_month=MONEY,
    route_reserved=MONEY,
    own=MONEY,
)


def refused(budget: SpendingLimits, account: Account, **more: object) -> str | None:
    """The code of the refusal, None if there is none."""
    given = {"approved": None, "price_unknown": None} | more
    refusal = find_refusal(budget, "acme", account, **given)  # type: ignore[arg-type]
    return refusal.code if refusal is not None else None


def fits(ceilings: Ceilings, whole: int, own: int, today: int, month: int, reserved: int) -> bool:
    """Reckoned as a person would."""
    return not (
        (ceilings.per_job is not None and whole > ceilings.per_job)
        or (ceilings.per_day is not None and today + reserved + own > ceilings.per_day)
        or (ceilings.per_month is not None and month + reserved + own > ceilings.per_month)
    )


@given(CEILINGS, CEILINGS, CEILINGS, ACCOUNTS)
def test_sent_is_what_fits_into_every_limit_and_nothing_else(
    overall: Ceilings, theirs: Ceilings, of_route: Ceilings, account: Account
) -> None:
    budget = SpendingLimits(overall=overall, providers={"acme": theirs}, routes={"reviews": of_route})
    a = account
    expected = (
        fits(overall, a.whole, a.own, a.today, a.month, a.reserved)
        and fits(theirs, a.whole, a.own, a.provider_today, a.provider_month, a.provider_reserved)
        and fits(of_route, a.whole, a.own, a.route_today, a.route_month, a.route_reserved)
    )
    assert (refused(budget, account, route="reviews") is None) is expected
    assert refused(SpendingLimits(routes={"reviews": of_route}), account, route="other") is None


@given(ACCOUNTS, MONEY)
def test_approved_is_an_amount_in_all_whatever_the_limits(account: Account, approved: int) -> None:
    budget = SpendingLimits(overall=Ceilings(0, 0, 0))
    assert (refused(budget, account, approved=approved) is None) is (account.whole <= approved)


@pytest.mark.parametrize(
    ("account", "more", "expected"),
    [
        (Account(own=1), {"price_unknown": "Add it."}, "price_unknown"),
        (Account(own=1, unlimited=2), {}, "unlimited_answers"),
        (Account(own=1), {"price_unknown": "Add it.", "approved": 5 * UNIT}, "price_unknown"),
        (Account(own=1, unlimited=2), {"approved": 5 * UNIT}, "unlimited_answers"),
        (Account(own=6 * UNIT, unlimited=2), {"approved": 5 * UNIT}, "approved_amount"),
        (Account(own=1, unlimited=2), {"price_unknown": "Add it.", "approved": MAX_AMOUNT}, None),
        # Nothing is left to ask: then there is nothing to hold.
        (Account(open_parts=0), {"price_unknown": "Add it."}, None),
    ],
)
def test_what_nobody_can_say_is_within_no_limit(
    account: Account, more: dict[str, object], expected: str | None
) -> None:
    assert refused(SpendingLimits(overall=Ceilings(per_month=100 * UNIT)), account, **more) == expected


def test_the_reason_is_what_a_sentence_is_made_of() -> None:
    refusal = find_refusal(
        SpendingLimits(overall=Ceilings(per_job=1)), "acme", Account(own=1), approved=None, price_unknown="Add it."
    )
    assert refusal is not None
    assert refusal.reason == "it is not known whether it is within the budget. Add it"
    refusal = find_refusal(SpendingLimits(), "acme", Account(), approved=5 * UNIT, price_unknown="Add it.")
    assert refusal is not None
    assert refusal.reason == "it is not known whether it is within the 5.00 USD that were approved. Add it"


def test_without_any_limit_everything_is_sent() -> None:
    account = Account(own=10**18, unlimited=5)
    assert refused(SpendingLimits(), account, price_unknown="Add it.") is None
    assert refused(SpendingLimits(providers={"other": Ceilings(per_day=0)}), account) is None


@pytest.mark.parametrize(
    ("account", "passes"),
    [
        (Account(own=MAX_AMOUNT), False),
        (Account(job=MAX_AMOUNT // 2, own=MAX_AMOUNT // 2), False),
        (Account(reserved=MAX_AMOUNT - 1, own=1), True),
        (Account(month=MAX_AMOUNT - 1, own=1), True),
    ],
)
def test_what_the_database_cannot_add_up_is_sent_by_nobody(account: Account, passes: bool) -> None:
    for approved in (None, MAX_AMOUNT):
        refusal = find_refusal(SpendingLimits(currency="VND"), "acme", account, approved=approved, price_unknown=None)
        assert refusal is not None
        assert (refusal.code, refusal.passes) == ("uncountable", passes)
        assert "more than batchd can count, which is 4611686018.43 VND" in refusal.reason
    assert refused(SpendingLimits(), replace(account, own=0, job=0)) is None


@pytest.mark.parametrize(("own", "passes"), [(5, True), (10, True), (11, False)])
def test_only_what_fits_into_an_empty_day_waits_for_one(own: int, passes: bool) -> None:
    budget = SpendingLimits(overall=Ceilings(per_day=10), beyond="wait")
    refusal = find_refusal(budget, "acme", Account(today=6, own=own), approved=None, price_unknown=None)
    assert refusal is not None
    assert refusal.passes is passes
    held = find_refusal(
        SpendingLimits(overall=Ceilings(per_day=10)),
        "acme",
        Account(today=6, own=own),
        approved=None,
        price_unknown=None,
    )
    assert held is not None
    assert held.passes is False


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


def reason(account: Account, **ceilings: Any) -> str:
    """Why a job of the route is refused, after the amounts."""
    budget = SpendingLimits(routes={"reviews": Ceilings(**ceilings)})
    found = find_refusal(budget, "acme", replace(account, at=NOON), approved=None, price_unknown=None, route="reviews")
    assert found is not None
    return found.reason


@pytest.mark.parametrize(
    ("account", "when"),
    [
        (Account(route_today=6, own=5), "; there is room from 2026-11-21 00:00 UTC"),
        (
            Account(route_reserved=6, own=5),
            "; there is room once running jobs have cost less than is reserved for them",
        ),
        (
            Account(route_today=6, route_reserved=6, own=5),
            "; there is room from 2026-11-21 00:00 UTC, once running jobs have cost less than is reserved for them",
        ),
        (Account(own=11), "; it does not fit into an empty day"),
    ],
)
def test_a_refusal_says_when_there_is_room(account: Account, when: str) -> None:
    said = reason(account, per_day=10)
    assert "that [routes.reviews.budget] per_day allows" in said
    assert said.endswith(when)


def test_of_several_limits_the_one_that_lasts_longest_is_named() -> None:
    account = Account(route_today=6, route_month=60, own=5)
    assert "[routes.reviews.budget] per_day allows" in reason(account, per_day=10, per_month=100)
    assert reason(account, per_day=10, per_month=64).endswith("; there is room from 2026-12-01 00:00 UTC")
    assert "[routes.reviews.budget] per_month" in reason(account, per_day=10, per_month=64)
    assert "[routes.reviews.budget] per_job" in reason(account, per_job=4, per_day=10, per_month=64)


def test_a_route_may_wait_where_others_are_held() -> None:
    account = Account(today=6, route_today=6, own=5)
    waits = Ceilings(per_day=10, beyond="wait")
    budgets = {
        True: SpendingLimits(routes={"reviews": waits}),
        # The limit of all holds it, and a person must decide whatever the route's own limit says.
        False: SpendingLimits(overall=Ceilings(per_day=10), routes={"reviews": waits}),
    }
    for passes, budget in budgets.items():
        found = find_refusal(budget, "acme", account, approved=None, price_unknown=None, route="reviews")
        assert found is not None
        assert (found.passes, found.reason_code.startswith("waits:")) == (passes, passes)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-11-26T00:00:00", "2026-11-26", "2026-11-01"),
        ("2026-11-30T23:59:59", "2026-11-30", "2026-11-01"),
        ("2026-12-01T00:00:00", "2026-12-01", "2026-12-01"),
        ("2028-02-29T12:00:00", "2028-02-29", "2028-02-01"),
    ],
)
def test_days_and_months_begin_in_utc(now: str, day: str, month: str) -> None:
    def at(text: str) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    assert beginnings(at(now)) == (at(day), at(month))


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_most_is_never_less_than_what_was_counted(tokens: int, output: int, longest: int) -> None:
    rates = Rates(3, 1, 5, steps=(Step(1_000, 6, 2, 7),))
    most = reserved(rates, input_tokens=tokens, output_tokens=output, longest=longest, sure=False)
    assert most >= 3 * tokens + 5 * output
    if longest > 1_000:
        assert most >= 6 * tokens + 7 * output


def test_the_margin_is_on_the_input_alone() -> None:
    rates = Rates(1, 1, 1)
    assert reserved(rates, input_tokens=100, output_tokens=100, longest=100, sure=False) == 100 * UNSURE + 100


def test_amounts_are_exact() -> None:
    for currency in ("USD", "VND"):
        assert counted(0.1, currency) + counted("0.2", currency) == counted("0.3", currency)
