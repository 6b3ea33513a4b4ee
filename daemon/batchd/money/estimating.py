"""What requests would cost, before anything is asked: arithmetic over what was counted of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

from ..model import Usage
from .lanes import Lane
from .pricing import Rates, Terms, amount

GUESS = 200
"""Tokens of an answer that nothing limits and of which nothing is known."""


class Basis(StrEnum):
    """What the likely length of answers was taken from."""

    GIVEN = "given"
    PAST = "past"
    HALF = "half"  # of the most that the requests allow
    GUESS = "guess"
    NONE = "none"  # such requests have no output


@dataclass(frozen=True, slots=True)
class Past:
    """Answers to a route so far: their number, and the tokens they have in all."""

    answers: int
    output_tokens: int

    @property
    def each(self) -> float:
        """Tokens of one answer, on average."""
        return self.output_tokens / self.answers


@dataclass(frozen=True, slots=True)
class Answers:
    """How long the answers may get: at most (None if some request sets no limit), and likely, on which basis."""

    most: int | None
    likely: int
    basis: Basis


def answers(
    requests: int,
    *,
    limits: int,
    unlimited: int = 0,
    past: Past | None = None,
    given: int | None = None,
    silent: bool = False,
) -> Answers:
    """The output of requests whose limits sum up to `limits`, all but `unlimited` of them having one.

    `given` is what somebody expects of one answer. `silent` requests, such as embeddings, have no output.
    """
    if silent:
        return Answers(0, 0, Basis.NONE)
    most = None if unlimited else limits
    if given is not None:
        likely, basis = given * requests, Basis.GIVEN
    elif past is not None and past.answers:
        likely, basis = round(past.each * requests), Basis.PAST
    elif unlimited:
        likely, basis = round(limits / 2) + unlimited * GUESS, Basis.GUESS
    else:
        likely, basis = round(limits / 2), Basis.HALF
    return Answers(most, likely if most is None else min(likely, most), basis)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests with their input tokens, as one model counts them.

    `long` are the input tokens of each request that may be too long for the first rates; they are part of the sum.
    `share` is how much of all there is was counted, where not all was.
    """

    requests: int
    input_tokens: int
    long: tuple[int, ...] = ()
    share: float = 1.0

    def corrected(self, factor: float) -> Load:
        """Multiplied by what past batches say about such counts."""
        long = tuple(round(each * factor) for each in self.long)
        return replace(self, input_tokens=round(self.input_tokens * factor), long=long)

    def at_most(self, margin: float) -> Load:
        """With what is added because counting is a guess."""
        long = tuple(ceil(each * margin) for each in self.long)
        return replace(self, input_tokens=ceil(self.input_tokens * margin), long=long)

    def cost(self, rates: Rates, output_tokens: int) -> int:
        """What they all cost, in subunits, with so much output in all, which is spread evenly over them."""
        # Output is given for all there is, input is what was counted.
        output = output_tokens if self.share == 1 else round(output_tokens * self.share)
        each = round(output / self.requests) if self.requests else 0
        long = [rates.cost(Usage(tokens, 0, each)) for tokens in self.long]
        rest = Usage(self.input_tokens - sum(self.long), 0, max(0, output - each * len(long)))
        cost = replace(rates, steps=()).cost(rest) + sum(long)
        return cost if self.share == 1 else round(cost / self.share)


@dataclass(frozen=True, slots=True)
class Span:
    """What something costs, in subunits: likely, and at most (None if nothing limits it)."""

    likely: int
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the requests cost with one model. Without `terms` the price is not known, which is not zero."""

    provider: str
    model: str
    input_tokens: int
    terms: Terms | None
    batch: Span | None = None
    live: Span | None = None

    @property
    def saving(self) -> float | None:
        """The part of the live price that a batch takes off; None where there is nothing to take off."""
        if self.batch is None or self.live is None or not self.live.likely:
            return None
        return 1 - self.batch.likely / self.live.likely


def quote(
    provider: str, model: str, terms: Terms | None, load: Load, answered: Answers, *, margin: float = 1.0
) -> Quote:
    """The cost of the load with a model on these terms; `margin` is what its input is multiplied with at most."""
    tokens = round(load.input_tokens / load.share)
    if terms is None:
        return Quote(provider=provider, model=model, input_tokens=tokens, terms=None)
    dearest = load.at_most(margin)
    batch, live = (
        Span(
            load.cost(rates, answered.likely),
            None if answered.most is None else dearest.cost(rates, answered.most),
        )
        for rates in (terms.at(Lane.BATCH), terms.at(Lane.LIVE))
    )
    return Quote(provider=provider, model=model, input_tokens=tokens, terms=terms, batch=batch, live=live)


def cheapest_first(quotes: Sequence[Quote]) -> list[Quote]:
    """By what a batch likely costs; those whose price is not known at the end."""
    return sorted(quotes, key=lambda each: (each.batch is None, each.batch.likely if each.batch else 0))


# --- what costs ----------------------------------------------------------------------------------------------------

TIMES_TOO_HIGH, TOKENS_TOO_HIGH = 4, 50
"""A limit is far above what answers use if it is so many times that, and by so many tokens."""

SAME_SHARE, MIN_SAME = 0.5, 100
"""What is the same in every request dominates if it is that part of the input, and so many tokens."""

REPEATED_SHARE = 0.01
"""Rows that repeat are worth a word from this part of the requests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What there is to notice of requests. `requests` and `repeats` are of those that were looked at.

    `same` are the tokens that every request has in common, None where they have no such frame; `limit` is the most
    output tokens of one request, on average, None if some have no limit.
    """

    requests: int
    repeats: int
    same: float | None
    limit: float | None
    past: Past | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that costs, as a word for machines and as sentences."""

    code: str
    text: str


def advice(habits: Habits, quoted: Quote, *, requests: int) -> Iterator[Advice]:
    """What to look at before paying. `requests` are all there are; `quoted` is the quote of the route's own model."""
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
        text = f"{used}, and max_tokens allows {limit:,.0f}. That costs only where an answer runs away"
        if quoted.terms is not None:
            over = round((limit - past.each) * requests) * quoted.terms.at(Lane.BATCH).output
            text += f", but a budget must allow for it: up to {_money(over, quoted)} more"
        yield Advice("limit", f"{text}. Lower it in the route's params.")


def _same(habits: Habits, quoted: Quote, requests: int) -> Iterator[Advice]:
    each = quoted.input_tokens / requests if requests else 0.0
    if habits.same is None or habits.same < MIN_SAME or habits.same < SAME_SHARE * each:
        return
    text = (
        f"{habits.same / each:.0%} of the input is the same in every request: {habits.same:,.0f} tokens of the prompt, "
        f"{each - habits.same:,.0f} of the row"
    )
    if quoted.terms is not None:
        text += f". It costs {_money(round(habits.same * requests) * quoted.terms.at(Lane.BATCH).input, quoted)}"
    yield Advice("same", f"{text}. A shorter prompt is cheaper by as much for every row.")


def _repeats(habits: Habits, quoted: Quote) -> Iterator[Advice]:
    if not habits.requests or habits.repeats < REPEATED_SHARE * habits.requests:
        return
    share, one = habits.repeats / habits.requests, habits.repeats == 1
    where = "" if habits.whole else f" of the {habits.requests:,} that were looked at"
    what = f"{habits.repeats:,} request{'' if one else 's'}{where} ({share:.0%}) {'is' if one else 'are'}"
    text = f"{what} the same as an earlier one in the file"
    if quoted.batch is not None and habits.whole:
        text += f" and cost{'s' if one else ''} about {_money(round(quoted.batch.likely * share), quoted)}"
    yield Advice("repeats", f"{text}. With `reuse` in the route they are asked once.")


def _money(subunits: int, quoted: Quote) -> str:
    assert quoted.terms is not None
    return f"{amount(subunits, quoted.terms.currency)} {quoted.terms.currency}"
