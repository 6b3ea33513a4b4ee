"""Decides whether a job may be sent: compares the operator's limits with what is spent and reserved already.

All money is in subunits of the one currency. Days and months are those of UTC, as providers bill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil, inf
from typing import Literal, TypeAlias

from msgspec import Struct, field

from ..bodies.usage import Usage
from .pricing import Rates, amount, at_most, unit

MAX_AMOUNT = 1 << 62
"""The limit of a job with unknown cost that a person has approved.

No sum may reach it, in subunits: two such sums fit into the 64 bits that the database adds up.
"""

SURE, UNSURE = 1.05, 1.25
"""The safety margins on counted input tokens, since only the service knows how it counts: for a model whose counts were
compared with real ones, and for any other."""

PRICE_UNKNOWN = "price_unknown"
"""The reason code of a job without a known price. batchd checks it again, as it does a job that waits for money."""

QUESTION_CHANGED = "question_changed"
"""The reason code of a job whose folder had another question before."""

WAITS = "waits:"
"""The prefix of the reason code of a held job that goes on by itself once there is room in the budget."""

Beyond: TypeAlias = Literal["hold", "wait"]


class Ceilings(Struct, frozen=True):
    """The most to spend per job, day and month. None is no limit.

    `beyond` is what happens to a job above the limit of a day or month; None is what the whole budget says.
    """

    per_job: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    beyond: Beyond | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.per_job, self.per_day, self.per_month))


class SpendingLimits(Struct, frozen=True, kw_only=True):
    """The operator's limits: in total, at each provider, and of each route. A job needs room in all that apply to it.

    A job beyond a day's or a month's limit is held for a person, or waits until there is room again.
    """

    currency: str = "USD"
    overall: Ceilings = field(default_factory=Ceilings)
    providers: Mapping[str, Ceilings] = field(default_factory=dict)
    routes: Mapping[str, Ceilings] = field(default_factory=dict)
    beyond: Beyond = "hold"

    def limits(self, provider: str, route: str, family: str | None = None) -> bool:
        """Whether any limit applies to this route at this provider. `family` is the route that the file came by."""
        limits = (self.overall, self.providers.get(provider), self.routes.get(route))
        return any(limits) or family in self.routes


class Account(Struct, frozen=True, kw_only=True):
    """The sums for the decision. `reserved` is what other jobs may still cost at most: in total, at its provider, and
    those of its route. `at` is the moment of these sums, seconds since 1970.

    `job` is what the job has cost so far, `own` what it may still cost at most. `unlimited` counts its requests that
    set no limit to their answers, `open_parts` the parts with rows left to ask.
    """

    job: int = 0
    today: int = 0
    month: int = 0
    reserved: int = 0
    provider_today: int = 0
    provider_month: int = 0
    provider_reserved: int = 0
    route_today: int = 0
    route_month: int = 0
    route_reserved: int = 0
    at: float = 0.0
    own: int = 0
    family_reserved: int = 0
    unlimited: int = 0
    open_parts: int = 1

    @property
    def whole(self) -> int:
        """The most that the job will have cost at its end, with all steps of its chain."""
        return self.job + self.own + self.family_reserved


class Refusal(Struct, frozen=True):
    """Why a job is not sent. `passes` if it may be sent once the day or month is over, or if other jobs cost less."""

    code: str
    reason: str
    passes: bool = False

    @property
    def reason_code(self) -> str:
        """The code under which the job is held."""
        return f"{WAITS}{self.code}" if self.passes else self.code


def waits_for_money(reason_code: str | None) -> bool:
    """Whether a job that is held with this code goes on by itself once there is room in the budget."""
    return reason_code is not None and reason_code.startswith(WAITS)


def find_refusal(
    budget: SpendingLimits,
    provider: str,
    account: Account,
    *,
    approved: int | None,
    price_unknown: str | None,
    route: str = "",
    family: str | None = None,
) -> Refusal | None:
    """Why the job may not be sent, None if it may. Of several limits it names the one that lasts longest.

    `approved` is what a person allows it to cost in total; it overrules every limit. `price_unknown` is the reason why
    its price is not known, if it is not.
    """
    if not account.open_parts:
        return None  # every row has its outcome without a request
    # First, since no approval may exceed what the database can add up.
    if account.month + account.reserved + account.whole >= MAX_AMOUNT:
        return _uncountable(budget, account)
    if approved is not None:
        if approved >= MAX_AMOUNT:
            return None
        allowed = f"{amount(approved, budget.currency)} {budget.currency}"
        if account.whole > approved:
            most = f"{at_most(account.whole, budget.currency)} {budget.currency}"
            return Refusal("approved_amount", f"it can cost {most} by now, and {allowed} were approved")
        return _unbounded(account, price_unknown, allowed)
    if not budget.limits(provider, route, family):
        return None
    if (refusal := _unbounded(account, price_unknown)) is not None:
        return refusal
    exceeded = [limit for limit in limits_for(budget, provider, route, account, family) if limit.needed > limit.left]
    if not exceeded:
        return None
    # Name the limit that lasts longest, so that the message stays true: one that time does not lift, then a month's.
    return _refusal(budget, max(exceeded, key=lambda limit: (not limit.passes, limit.until(account.at))), account)


def _unbounded(account: Account, price_unknown: str | None, approved: str = "") -> Refusal | None:
    """Why the most that the job can cost is not known, None if it is. `approved` is the amount, if it is for that."""
    if price_unknown:
        within = f"the {approved} that were approved" if approved else "the budget"
        why = price_unknown.removesuffix(".")  # like all reasons: it becomes part of a sentence
        return Refusal(PRICE_UNKNOWN, f"it is not known whether it is within {within}. {why}")
    if account.unlimited:
        return Refusal(
            "unlimited_answers",
            f"{account.unlimited:,} of its requests set no limit to their answers, so the most that they can cost is "
            "not known. Set max_tokens in the route's [params] and drop the file again, or approve it at any cost",
        )
    return None


def _uncountable(budget: SpendingLimits, account: Account) -> Refusal:
    currency = budget.currency
    most = f"more than batchd can count, which is {amount(MAX_AMOUNT, currency)} {currency}"
    if account.whole >= MAX_AMOUNT:
        reason = f"it can cost {most}. Correct its price or its max_tokens, cancel it, and drop the file again"
        return Refusal("uncountable", reason)
    reason = f"with what is spent this month and reserved for running jobs, it can cost {most}"
    return Refusal("uncountable", reason, passes=True)


class Limit(Struct, frozen=True):
    """One limit of a job: its table and key, how much is spent and reserved of it, and what the job needs."""

    name: str
    period: Literal["", "today", "this month"]
    allowed: int
    spent: int
    reserved: int
    needed: int
    beyond: Beyond

    @property
    def left(self) -> int:
        """What may still be spent and reserved; below zero if a limit was lowered."""
        return self.allowed - self.spent - self.reserved

    @property
    def fits_later(self) -> bool:
        """Whether the job has room in an empty day or month."""
        return bool(self.period) and self.needed <= self.allowed

    @property
    def passes(self) -> bool:
        """Whether the job may wait for room. It may not if even an empty day or month has too little."""
        return self.beyond == "wait" and self.fits_later

    def until(self, at: float) -> float:
        """When the present spending stops counting (seconds since 1970); infinity if the job does not fit even then."""
        if not self.fits_later:
            return inf
        day, month = next_beginnings(at)
        return day if self.period == "today" else month


def limits_for(
    budget: SpendingLimits, provider: str, route: str, account: Account, family: str | None = None
) -> Iterator[Limit]:
    """All limits of a job by this route: in total, at its provider, of its route.

    A later step of a chain has the limit for a job of the route that the file came by, `family`, too.
    """
    first = budget.routes.get(family) if family not in {None, route} else None
    if first is not None and first.per_job is not None:
        name = f"[routes.{family}.budget] per_job"
        yield Limit(name, "", first.per_job, 0, 0, account.whole, first.beyond or budget.beyond)
    a, none = account, Ceilings()
    for ceilings, table, (today, month, reserved) in (
        (budget.overall, "[budget]", (a.today, a.month, a.reserved)),
        (
            budget.providers.get(provider, none),
            f"[providers.{provider}.budget]",
            (a.provider_today, a.provider_month, a.provider_reserved),
        ),
        (budget.routes.get(route, none), f"[routes.{route}.budget]", (a.route_today, a.route_month, a.route_reserved)),
    ):
        beyond = ceilings.beyond or budget.beyond
        if ceilings.per_job is not None:
            yield Limit(f"{table} per_job", "", ceilings.per_job, 0, 0, a.whole, beyond)
        if ceilings.per_day is not None:
            yield Limit(f"{table} per_day", "today", ceilings.per_day, today, reserved, a.own, beyond)
        if ceilings.per_month is not None:
            yield Limit(f"{table} per_month", "this month", ceilings.per_month, month, reserved, a.own, beyond)


def _refusal(budget: SpendingLimits, limit: Limit, account: Account) -> Refusal:
    currency = budget.currency
    code = limit.name.rpartition(" ")[2]
    needs = f"it can cost at most {at_most(limit.needed, currency)} {currency}"
    if not limit.period:
        return Refusal(code, f"{needs}, and {limit.name} allows {amount(limit.allowed, currency)}")
    reserved = f" and {amount(limit.reserved, currency)} reserved for running jobs" if limit.reserved else ""
    reason = (
        f"{needs}, and of the {amount(limit.allowed, currency)} that {limit.name} allows "
        f"{amount(max(limit.left, 0), currency)} are left {limit.period}: {amount(limit.spent, currency)} are spent"
        f"{reserved}; {_room(limit, account.at)}"
    )
    return Refusal(code, reason, passes=limit.passes)


def _room(limit: Limit, at: float) -> str:
    """When there is room for the job."""
    if not limit.fits_later:
        return f"it does not fit into {'an empty day' if limit.period == 'today' else 'an empty month'}"
    cheaper = "running jobs have cost less than is reserved for them"
    if limit.needed <= limit.allowed - limit.spent:
        return f"there is room once {cheaper}"
    then = f"there is room from {datetime.fromtimestamp(limit.until(at), UTC):%Y-%m-%d %H:%M} UTC"
    return then if limit.needed <= limit.allowed - limit.reserved else f"{then}, once {cheaper}"


def reserved(
    rates: Rates, *, input_tokens: int, output_tokens: int, longest: int, sure: bool, cached_for: float = 0.0
) -> int:
    """The most that requests with so many tokens in total can cost, with the safety margin on counted tokens.

    `longest` are the input tokens of the longest request. The requests may ask for a cache of `cached_for` seconds.
    """
    margin = SURE if sure else UNSURE
    return rates.most(
        Usage(input_tokens=ceil(input_tokens * margin), output_tokens=output_tokens),
        longest=ceil(longest * margin),
        cached_for=cached_for,
    )


def beginnings(now: float) -> tuple[float, float]:
    """When the day and the month of this moment began (seconds since 1970), in UTC.

    Spending with a later time than now counts as today's: a clock that is set back must not free money.

    >>> beginnings(1_800_000_000.0)
    (1799971200.0, 1798761600.0)
    """
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.timestamp(), day.replace(day=1).timestamp()


def next_beginnings(now: float) -> tuple[float, float]:
    """When the next day and the next month begin, in UTC.

    >>> next_beginnings(1_800_000_000.0)
    (1800057600.0, 1801440000.0)
    """
    day, month = (datetime.fromtimestamp(each, UTC) for each in beginnings(now))
    return (day + timedelta(days=1)).timestamp(), (month + timedelta(days=32)).replace(day=1).timestamp()


def counted(units: object, currency: str) -> int:
    """Convert an amount in units of the currency, from a config or a person, to subunits."""
    return int(Decimal(str(units)) * unit(currency))
