"""What tokens cost, exactly: whole trillionths of a currency unit, so that sums agree to the last unit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ..model import Usage

UNIT = 10**12
"""Trillionths in one unit of the currency: a price per million with six decimals is a whole number per token."""


@dataclass(frozen=True, slots=True)
class Price:
    """Per million tokens, in the currency's units. `batch_discount` is what a batch takes off: 0.5 is half price."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    batch_discount: Decimal = Decimal("0.5")
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
class Rates:
    """Trillionths of the currency's unit per token."""

    input: int
    cached_input: int
    output: int

    def cost(self, usage: Usage) -> int:
        """What this usage costs, in trillionths."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        return (
            (usage.input_tokens - cached) * self.input + cached * self.cached_input + usage.output_tokens * self.output
        )


def _per_token(per_million: Decimal) -> int:
    return round(per_million * (UNIT // 1_000_000))


def amount(trillionths: int) -> str:
    """As people write money: two decimals from a unit up, more where there is less: `12.34`, `0.0021`, `0.00`."""
    value = Decimal(trillionths) / UNIT
    if value == 0:
        return "0.00"
    if abs(value) >= 1:
        return f"{value:.2f}"
    text = f"{value:.6f}".rstrip("0")
    return text if len(text.partition(".")[2]) >= 2 else f"{value:.2f}"
