"""Estimates the cost of requests before any is sent, from their counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import ceil

from msgspec import Struct

from ..model import Usage
from ..values import replace
from .lanes import Lane
from .pricing import Rates, Terms, amount, kinds_of

GUESS = 200
"""The assumed tokens of an answer without a limit and without earlier answers."""


class Basis(StrEnum):
    """The basis of the likely length of answers."""

    GIVEN = "given"
    PAST = "past"
    HALF = "half"  # of the most that the requests allow
    GUESS = "guess"
    NONE = "none"  # such requests have no output


class Past(Struct, frozen=True):
    """The answers of a route so far: their number, and their total tokens."""

    answers: int
    output_tokens: int

    @property
    def each(self) -> float:
        """Tokens of one answer, on average."""
        return self.output_tokens / self.answers


class Answers(Struct, frozen=True):
    """The output tokens of all answers: at most (None if a request sets no limit), and likely, with the basis."""

    most: int | None
    likely: int
    basis: Basis


def answers(
    requests: int,
    *,
    limits: int,
    unlimited: int = 0,
    past: Past | None = None,
    expected: int | None = None,
    silent: bool = False,
) -> Answers:
    """The output of requests whose limits add up to `limits`; `unlimited` of them have no limit.

    `expected` is the length of one answer that a person expects. `silent` requests, such as embeddings, have no output.
    """
    if silent:
        return Answers(0, 0, Basis.NONE)
    most = None if unlimited else limits
    if expected is not None:
        likely, basis = expected * requests, Basis.GIVEN
    elif past is not None and past.answers:
        likely, basis = round(past.each * requests), Basis.PAST
    elif unlimited:
        likely, basis = round(limits / 2) + unlimited * GUESS, Basis.GUESS
    else:
        likely, basis = round(limits / 2), Basis.HALF
    return Answers(most, likely if most is None else min(likely, most), basis)


class Load(Struct, frozen=True):
    """Requests with their input tokens, as one model counts them.

    `long` are the input tokens of each request that may be too long for the first rates; the sum includes them.
    `share` is the part of all requests that was counted, 1 if all were. All of the input may be written to a cache that
    keeps it for `cached_for` seconds.
    """

    requests: int
    input_tokens: int
    long: tuple[int, ...] = ()
    share: float = 1.0
    cached_for: float = 0.0

    def corrected(self, factor: float) -> Load:
        """The tokens multiplied by the correction that earlier batches suggest."""
        long = tuple(round(each * factor) for each in self.long)
        return replace(self, input_tokens=round(self.input_tokens * factor), long=long)

    def at_most(self, margin: float, cached_for: float = 0.0) -> Load:
        """The tokens with the safety margin, written to a cache for `cached_for` seconds, which may cost more."""
        long = tuple(ceil(each * margin) for each in self.long)
        return replace(self, input_tokens=ceil(self.input_tokens * margin), long=long, cached_for=cached_for)

    def cost(self, rates: Rates, output_tokens: int) -> int:
        """The cost of all requests, in subunits, with this total output, spread evenly over them."""
        # `output_tokens` is for all requests, the input only for those that were counted.
        output = output_tokens if self.share == 1 else round(output_tokens * self.share)
        each = round(output / self.requests) if self.requests else 0
        kinds = kinds_of(self.cached_for)

        def used(tokens: int, output: int) -> Usage:
            return Usage(tokens, 0, output, tokens if kinds else 0, tokens if kinds > 1 else 0)

        long = [rates.cost(used(tokens, each)) for tokens in self.long]
        rest = used(self.input_tokens - sum(self.long), max(0, output - each * len(long)))
        cost = replace(rates, steps=()).cost(rest) + sum(long)
        return cost if self.share == 1 else round(cost / self.share)


class Span(Struct, frozen=True):
    """A cost in subunits: likely, and at most (None if nothing limits it)."""

    likely: int
    most: int | None


class Quote(Struct, frozen=True, kw_only=True):
    """The cost of the requests with one model. Without `terms` the price is not known, which is not zero."""

    provider: str
    model: str
    input_tokens: int
    terms: Terms | None
    batch: Span | None = None
    live: Span | None = None

    @property
    def saving(self) -> float | None:
        """The discount of a batch as a part of the live price; None if there is no live price."""
        if self.batch is None or self.live is None or not self.live.likely:
            return None
        return 1 - self.batch.likely / self.live.likely


def quote(
    provider: str,
    model: str,
    terms: Terms | None,
    load: Load,
    answered: Answers,
    *,
    margin: float = 1.0,
    cached_for: float = 0.0,
    at: float | None = None,
) -> Quote:
    """The cost of the load with a model on these terms; `margin` is the factor on its input for the highest cost.

    The likely cost of live calls is that of calls made `at` this time (seconds since 1970).
    """
    tokens = round(load.input_tokens / load.share)
    if terms is None:
        return Quote(provider=provider, model=model, input_tokens=tokens, terms=None)
    dearest = load.at_most(margin, cached_for)
    batch, live = (
        Span(
            load.cost(terms.at(lane, at), answered.likely),
            None if answered.most is None else dearest.cost(terms.at(lane), answered.most),
        )
        for lane in (Lane.BATCH, Lane.LIVE)
    )
    return Quote(provider=provider, model=model, input_tokens=tokens, terms=terms, batch=batch, live=live)


def cheapest_first(quotes: Sequence[Quote]) -> list[Quote]:
    """Sorted by the likely cost of a batch; quotes without a price are last."""
    return sorted(quotes, key=lambda quote: (quote.batch is None, quote.batch.likely if quote.batch else 0))


# --- what costs ----------------------------------------------------------------------------------------------------

TIMES_TOO_HIGH, TOKENS_TOO_HIGH = 4, 50
"""A limit is far above the real length of answers from this factor and this difference in tokens on."""

SAME_SHARE, MIN_SAME = 0.5, 100
"""The common part of all requests dominates from this share of the input and this number of tokens on."""

REPEATED_SHARE = 0.01
"""Repeated requests are worth advice from this share on."""


class Habits(Struct, frozen=True, kw_only=True):
    """Facts about the requests, for advice. `requests` and `repeats` count those that were read.

    `same` are the tokens that every request has in common, None if they have no common frame; `limit` is the average
    limit of output tokens of a request, None if some have no limit.
    """

    requests: int
    repeats: int
    same: float | None
    limit: float | None
    past: Past | None
    whole: bool


class Advice(Struct, frozen=True):
    """A hint at a cost: a word for programs, and sentences."""

    code: str
    text: str


def advice(habits: Habits, quoted: Quote, *, requests: int) -> Iterator[Advice]:
    """The hints before paying. `requests` is their total number; `quoted` is the quote of the route's own model."""
    yield from _limit(habits, quoted, requests)
    yield from _same(habits, quoted, requests)
    yield from _repeats(habits, quoted)


def _limit(habits: Habits, quoted: Quote, requests: int) -> Iterator[Advice]:
    past, limit = habits.past, habits.limit
    if past is None or not past.answers:
        return
    used = f"Answers of this route have used {past.each:,.0f} tokens on average"
    if limit is None:
        yield Advice(
            "no_limit",
            f"{used}, and nothing limits them: set max_tokens in the route's params, or one may be very long.",
        )
    elif limit >= TIMES_TOO_HIGH * past.each and limit - past.each >= TOKENS_TOO_HIGH:
        text = f"{used}, and max_tokens allows {limit:,.0f}. That costs nothing unless an answer gets too long"
        if quoted.terms is not None:
            over = round((limit - past.each) * requests) * quoted.terms.at(Lane.BATCH).output
            text += f", but a budget must allow for it: up to {_money(over, quoted)} more"
        yield Advice("limit", f"{text}. Lower it in the route's params.")


def _same(habits: Habits, quoted: Quote, requests: int) -> Iterator[Advice]:
    average = quoted.input_tokens / requests if requests else 0.0
    if habits.same is None or habits.same < MIN_SAME or habits.same < SAME_SHARE * average:
        return
    text = (
        f"{habits.same / average:.0%} of the input is the same in every request: "
        f"{habits.same:,.0f} tokens of the prompt, {average - habits.same:,.0f} of the row"
    )
    if quoted.terms is not None:
        text += f". It costs {_money(round(habits.same * requests) * quoted.terms.at(Lane.BATCH).input, quoted)}"
    yield Advice("same", f"{text}. A shorter prompt is cheaper by as much for every row.")


def _repeats(habits: Habits, quoted: Quote) -> Iterator[Advice]:
    if not habits.requests or habits.repeats < REPEATED_SHARE * habits.requests:
        return
    share, one = habits.repeats / habits.requests, habits.repeats == 1
    where = "" if habits.whole else f" of the {habits.requests:,} that were counted"
    what = f"{habits.repeats:,} request{'' if one else 's'}{where} ({share:.0%}) {'is' if one else 'are'}"
    text = f"{what} the same as an earlier one in the file"
    if quoted.batch is not None and habits.whole:
        text += f" and cost{'s' if one else ''} about {_money(round(quoted.batch.likely * share), quoted)}"
    yield Advice("repeats", f"{text}. With `reuse` in the route they are asked once.")


def _money(subunits: int, quoted: Quote) -> str:
    assert quoted.terms is not None
    return f"{amount(subunits, quoted.terms.currency)} {quoted.terms.currency}"
