"""What tokens cost, exactly: whole trillionths of a currency unit, so that sums agree to the last unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from ..model import Json, Usage

UNIT = 10**12
"""Trillionths in one unit of the currency: a price per million with six decimals is a whole number per token."""


@dataclass(frozen=True, slots=True)
class Price:
    """Per million tokens, in the currency's units. `batch_discount` is what a batch takes off: 0.5 is half price.

    Nothing is taken off unless somebody said so: a discount that does not come is a bill that surprises.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    batch_discount: Decimal = Decimal(0)
    batch_input: Decimal | None = None
    batch_output: Decimal | None = None

    def rates(self, *, batch: bool) -> Rates:
        """The same per token, on the terms of a batch or of live calls."""
        factor = 1 - self.batch_discount if batch else Decimal(1)
        cached = self.input if self.cached_input is None else self.cached_input
        given_input = self.batch_input if batch else None
        given_output = self.batch_output if batch else None
        return Rates(
            input=_per_token(self.input * factor if given_input is None else given_input),
            cached_input=_per_token(cached * factor if given_input is None else min(cached, given_input)),
            output=_per_token(self.output * factor if given_output is None else given_output),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """Other rates, for a request as a whole that has more than `above` input tokens."""

    above: int
    input: int
    cached_input: int
    output: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Trillionths of the currency's unit per token; `steps`, lowest first, where long requests have other rates."""

    input: int
    cached_input: int
    output: int
    steps: tuple[Step, ...] = ()

    @property
    def tiered(self) -> bool:
        """Whether each request must be priced by itself: what a sum of requests costs is then not to be told."""
        return bool(self.steps)

    def cost(self, usage: Usage) -> int:
        """What this usage costs, in trillionths. It is that of one request where rates are tiered."""
        rates: Rates | Step = self
        for step in self.steps:
            if usage.input_tokens > step.above:
                rates = step
        cached = min(usage.cached_tokens, usage.input_tokens)
        return (
            (usage.input_tokens - cached) * rates.input
            + cached * rates.cached_input
            + usage.output_tokens * rates.output
        )

    def most(self, usage: Usage, *, longest: int | None = None) -> int:
        """The most that requests can cost which sum up to this usage, in trillionths.

        `longest` is the most input tokens of one of them; where it is not known, one of them might hold all.
        """
        longest = usage.input_tokens if longest is None else longest
        reached: list[Rates | Step] = [self, *(step for step in self.steps if longest > step.above)]
        dearest = Rates(
            input=max(rates.input for rates in reached),
            cached_input=max(rates.cached_input for rates in reached),
            output=max(rates.output for rates in reached),
        )
        return dearest.cost(usage)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a model costs at its provider: in batches, live, in which currency, and who says so.

    Kept with a job at its admission, so that a price that changes while a job runs changes nothing for it.
    """

    batch: Rates
    live: Rates
    currency: str
    source: str

    def to_json(self) -> dict[str, Json]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Terms:
        """Terms as they were kept; keys of other versions are passed over."""
        return cls(_rates(record["batch"]), _rates(record["live"]), record["currency"], record["source"])


def _rates(record: Mapping[str, Any]) -> Rates:
    steps = tuple(Step(*(step[key] for key in Step.__dataclass_fields__)) for step in record.get("steps", ()))
    return Rates(record["input"], record["cached_input"], record["output"], steps)


def _per_token(per_million: Decimal) -> int:
    return round(per_million * (UNIT // 1_000_000))


def at_most(trillionths: int) -> str:
    """As `amount`, and never less than it is: whoever allows what this says allows enough."""
    step = UNIT // (100 if trillionths >= UNIT else 1_000_000)
    return amount(-(-trillionths // step) * step)


def amount(trillionths: int) -> str:
    """As people write money: two decimals from a unit up, more where there is less: `12.34`, `0.0021`, `0.00`."""
    value = Decimal(trillionths) / UNIT
    if value == 0:
        return "0.00"
    if abs(value) >= 1:
        return f"{value:.2f}"
    text = f"{value:.6f}".rstrip("0")
    return text if len(text.partition(".")[2]) >= 2 else f"{value:.2f}"
