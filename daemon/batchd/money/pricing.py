"""Exact prices of tokens: in whole subunits of a currency, so that sums are exact.

A subunit is the smallest amount that batchd counts: a trillionth of the currency's unit, or a billionth if the unit is
small. Amounts in small units are larger numbers, and their sums must fit into the 64 bits of the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct, field

from ..bodies.usage import Json, Usage
from ..values import replace
from .hours import HourSpan
from .lanes import Lane

FIVE_MINUTES = 300.0
UNIT, SMALL_UNIT = 10**12, 10**9
"""Subunits in one unit of most currencies, and of currencies with small units: a price per million with six decimals,
or with three, is a whole number per token."""

# Their unit is worth less than about a US cent.
# fmt: off
_SMALL = frozenset((
    "AMD", "AOA", "ARS", "BDT", "BIF", "CDF", "CLP", "COP", "CRC", "DJF", "DZD", "ETB", "GNF", "GYD", "HTG", "HUF",
    "IDR", "IQD", "IRR", "ISK", "JMD", "JPY", "KES", "KHR", "KMF", "KPW", "KRW", "KZT", "LAK", "LBP", "LKR", "LRD",
    "MGA", "MMK", "MNT", "MWK", "NGN", "NPR", "PKR", "PYG", "RSD", "RWF", "SDG", "SOS", "SSP", "SYP", "TZS", "UGX",
    "UZS", "VES", "VND", "VUV", "XAF", "XOF", "XPF", "YER",
))
# fmt: on


def unit(currency: str) -> int:
    """Subunits in one unit of the currency.

    >>> unit("USD") // unit("VND")
    1000
    """
    return SMALL_UNIT if currency in _SMALL else UNIT


class Price(Struct, frozen=True):
    """Prices per million tokens, in the currency's units. `batch_discount` 0.5 means half price for a batch.

    The default is no discount: to assume one that the service does not give would make the bill too high.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    batch_discount: Decimal = Decimal(0)
    batch_input: Decimal | None = None
    batch_output: Decimal | None = None

    def rates(self, currency: str, lane: Lane) -> Rates:
        """The price per token on this lane, in subunits of the currency."""
        batch = lane is Lane.BATCH
        factor = 1 - self.batch_discount if batch else Decimal(1)
        cached = self.input if self.cached_input is None else self.cached_input
        given_input = self.batch_input if batch else None
        given_output = self.batch_output if batch else None

        def written(price: Decimal | None) -> int | None:
            if price is None:
                return None
            # In a batch, it costs as many times the input price as in a live call.
            like = factor if given_input is None else given_input / self.input if self.input else Decimal(1)
            return per_token(price * like, currency)

        return Rates(
            input=per_token(self.input * factor if given_input is None else given_input, currency),
            cached_input=per_token(cached * factor if given_input is None else min(cached, given_input), currency),
            output=per_token(self.output * factor if given_output is None else given_output, currency),
            cache_write=written(self.cache_write),
            cache_write_1h=written(self.cache_write_1h),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """Other rates, for the whole of a request with more than `above` input tokens."""

    above: int
    input: int
    cached_input: int
    output: int
    cache_write: int | None = None
    cache_write_1h: int | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Subunits of the currency per token; `steps`, lowest first, if long requests have other rates.

    Input that is written to a cache, for five minutes or an hour, costs the same as other input unless it has a price.
    """

    input: int
    cached_input: int
    output: int
    steps: tuple[Step, ...] = ()
    cache_write: int | None = None
    cache_write_1h: int | None = None

    @property
    def tiered(self) -> bool:
        """Whether each request must be priced by itself: the sum of their tokens then has no price."""
        return bool(self.steps)

    def cost(self, usage: Usage) -> int:
        """The cost of this usage, in subunits. If rates are tiered, it must be the usage of one request."""
        rates: Rates | Step = self
        for step in self.steps:
            if usage.input_tokens > step.above:
                rates = step
        cached = min(usage.cached_tokens, usage.input_tokens)
        writes = min(usage.cache_writes, usage.input_tokens - cached)
        long = min(usage.long_writes, writes)
        short_rate, long_rate = _writing(rates)
        return (
            (usage.input_tokens - cached - writes) * rates.input
            + cached * rates.cached_input
            + (writes - long) * short_rate
            + long * long_rate
            + usage.output_tokens * rates.output
        )

    def less(self, discount: Decimal) -> Rates:
        """These rates with a discount: 0.5 is half the price, -1 is twice the price."""
        return replace(_less(self, discount), steps=tuple(_less(step, discount) for step in self.steps))

    def most(self, usage: Usage, *, longest: int | None = None, cached_for: float = 0.0) -> int:
        """The most that requests with this total usage can cost, in subunits.

        `longest` are the input tokens of the longest request; if that is not known, one request may have all of them.
        A service may be asked to cache the input for `cached_for` seconds.
        """
        longest = usage.input_tokens if longest is None else longest
        reached: list[Rates | Step] = [self, *(step for step in self.steps if longest > step.above)]
        dearest = Rates(
            input=max(max((rates.input, *_writing(rates)[: kinds_of(cached_for)])) for rates in reached),
            cached_input=max(rates.cached_input for rates in reached),
            output=max(rates.output for rates in reached),
        )
        return dearest.cost(usage)


class PricedLane(Struct, frozen=True):
    """Live calls at another price: those with these params, at these hours. No params or no hours means any."""

    name: str
    discount: Decimal
    params: Mapping[str, Json] = field(default_factory=dict)
    hours: tuple[HourSpan, ...] = ()

    def is_chosen(self, params: Mapping[str, Json]) -> bool:
        """Whether requests with these params use this lane."""
        return all(key in params and params[key] == value for key, value in self.params.items())

    @property
    def in_words(self) -> str:
        """Its name and what it takes off, such as `flex, 50% off`."""
        if self.discount == 0:
            return f"{self.name}, at the usual price"
        return f"{self.name}, {abs(self.discount):.0%} {'off' if self.discount > 0 else 'more'}"


@dataclass(frozen=True, slots=True)
class HourRates:
    """The rates of live calls at some hours."""

    hours: tuple[HourSpan, ...]
    rates: Rates


@dataclass(frozen=True, slots=True)
class Terms:
    """The prices of a model at its provider: in batches, by live calls, and by live calls at some hours.

    Stored with a job at its admission, so that a new price changes nothing for a running job.
    """

    batch: Rates
    live: Rates
    currency: str
    source: str
    by_hour: tuple[HourRates, ...] = ()

    def at(self, lane: Lane, when: float | None = None) -> Rates:
        """The rates on this lane, at this time (seconds since 1970). No other code chooses them.

        Without a time, they are the highest of the week, since it is not known when a request is answered.
        """
        if lane is Lane.BATCH:
            return self.batch
        if when is None:
            return max(
                (self.live, *(each.rates for each in self.by_hour)), key=lambda rates: (rates.input, rates.output)
            )
        for each in self.by_hour:
            if any(span.contains(when) for span in each.hours):
                return each.rates
        return self.live

    def on(self, lanes: Iterable[PricedLane], params: Mapping[str, Json]) -> Terms:
        """The terms of live calls with these params, where some of these lanes have prices of their own."""
        chosen = [lane for lane in lanes if lane.is_chosen(params)]
        live = self.live
        for lane in chosen:
            live = live if lane.hours else live.less(lane.discount)
        by_hour = tuple(HourRates(lane.hours, live.less(lane.discount)) for lane in chosen if lane.hours)
        source = "; ".join((self.source, *(lane.in_words for lane in chosen)))
        return replace(self, live=live, by_hour=by_hour, source=source)

    @property
    def tiered(self) -> bool:
        """Whether each request must be priced by itself, on some lane."""
        return bool(self.steps) or bool(self.by_hour)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The other rates of long requests, on both lanes."""
        return (*self.batch.steps, *self.live.steps)

    def to_json(self) -> dict[str, Json]:
        """The form in which it is stored."""
        record = asdict(self)
        for each in record["by_hour"]:
            for span in each["hours"]:
                span["days"] = sorted(span["days"])
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Terms:
        """Terms from their stored form; keys of other versions are ignored."""
        by_hour = tuple(
            HourRates(
                tuple(HourSpan(frozenset(span["days"]), span["begin"], span["end"]) for span in each["hours"]),
                _rates(each["rates"]),
            )
            for each in record.get("by_hour", ())
        )
        return cls(_rates(record["batch"]), _rates(record["live"]), record["currency"], record["source"], by_hour)


def kinds_of(cached_for: float) -> int:
    """How many of the two prices of writing to a cache may apply: none, the one for five minutes, both."""
    return 0 if not cached_for else 1 if cached_for <= FIVE_MINUTES else 2


RatesT = TypeVar("RatesT", Rates, Step)
_PRICES = ("input", "cached_input", "output", "cache_write", "cache_write_1h")


def _less(rates: RatesT, discount: Decimal) -> RatesT:
    prices = {name: getattr(rates, name) for name in _PRICES}
    return replace(
        rates, **{name: round(price * (1 - discount)) for name, price in prices.items() if price is not None}
    )


def _writing(rates: Rates | Step) -> tuple[int, int]:
    """The cost of a token that is written to a cache for five minutes, and for an hour."""
    short = rates.input if rates.cache_write is None else rates.cache_write
    return short, short if rates.cache_write_1h is None else rates.cache_write_1h


def _rates(record: Mapping[str, Any]) -> Rates:
    steps = tuple(Step(*(step.get(key) for key in Step.__dataclass_fields__)) for step in record.get("steps", ()))
    written = (record.get("cache_write"), record.get("cache_write_1h"))
    return Rates(record["input"], record["cached_input"], record["output"], steps, *written)


def per_token(per_million: Decimal, currency: str) -> int:
    """Convert a price per million tokens, in units, to subunits per token."""
    return round(per_million * (unit(currency) // 1_000_000))


def at_most(subunits: int, currency: str) -> str:
    """As `amount`, rounded up: a limit of this amount is enough."""
    step = unit(currency) // (100 if subunits >= unit(currency) else 1_000_000)
    return amount(-(-subunits // step) * step, currency)


def amount(subunits: int, currency: str) -> str:
    """Write an amount for people, with two decimals from one unit up and more below: `12.34`, `0.0021`, `0.00`."""
    value = Decimal(subunits) / unit(currency)
    if value == 0:
        return "0.00"
    if abs(value) >= 1:
        return f"{value:.2f}"
    text = f"{value:.6f}".rstrip("0")
    return text if len(text.partition(".")[2]) >= 2 else f"{value:.2f}"
