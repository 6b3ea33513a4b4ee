"""An estimate in words: the lines around the table, and plain lines for a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...money.budget import Limit
from ...money.estimating import GUESS, Basis, Quote, Span
from ...money.pricing import amount, at_most
from ...status.formatting import clean, count, money, money_at_most

if TYPE_CHECKING:
    from ...app.estimating.estimate import ChainCost, Estimate

_FAILURES_SHOWN = 3


def lines(made: Estimate) -> Iterator[str]:
    yield from opening(made)
    for each in made.quotes:
        yield clean(_plain(each, made))
    yield from closing(made)


def opening(made: Estimate) -> Iterator[str]:
    """The lines before the prices: what would be sent."""
    counted = made.counted
    if counted is None:
        each_input = made.quotes[0].input_tokens // made.requests if made.quotes else 0
        yield (
            f"{count(made.requests, 'request')} of {each_input:,} input and {made.answers.likely // made.requests:,} "
            "output tokens each."
        )
        return
    about = "" if counted.share == 1 else "about "
    yield clean(
        f"{made.file} by the route {made.route}: {about}{count(counted.rows, 'row')}, {about}"
        f"{count(made.requests, 'request')}."
    )
    if counted.share < 1:
        yield (
            f"The file is large: {counted.looked_at:,} rows from all over it were counted, and all numbers are "
            "extrapolated from them."
        )
    of = "" if counted.share == 1 else f" of the {counted.looked_at:,} that were looked at"
    failed = sum(counted.failed.values())
    if failed:
        yield f"{count(failed, 'row')}{of} cannot be sent, and will cost nothing:"
        for code, number in counted.failed.most_common(_FAILURES_SHOWN):
            yield clean(f"  {number:,} × {code}: {counted.examples[code]}")
    if counted.empty:
        yield f"{count(counted.empty, 'row')}{of} with nothing to ask about will be skipped, and cost nothing."
    own = next(each for each in made.quotes if (each.provider, each.model) == made.own)
    yield f"Input: {own.input_tokens:,} tokens, {_counted_by(made)}."
    yield f"Output: {_output(made)}."


def closing(made: Estimate) -> Iterator[str]:
    """The lines after the prices: later steps, missing prices, a budget that refuses, advice."""
    for step in made.steps:
        asked = step.quote()
        cost = "its price is not known"
        if asked.batch is not None and asked.live is not None:
            cost = f"about {_money(asked.batch.likely, step)} in batches, {_money(asked.live.likely, step)} live"
        yield clean(
            f"Then the step {step.route} ({name_of(asked)}): at most {count(step.requests, 'request')}, {cost}. Its "
            "questions hold answers, so their length is a guess."
        )
    if made.chain is not None:
        yield from _chain(made.chain, made)
    refusal = made.refusal
    for sentence in made.unknown:
        if refusal is None or sentence.removesuffix(".") not in refusal.reason:
            yield clean(sentence)
    if refusal is not None:
        yield clean(f"It would {'wait' if refusal.passes else 'be held'}: {refusal.reason}.")
    elif made.limits:
        yield clean(f"It fits into the budget: {'; '.join(_left(each, made) for each in made.limits)}.")
    for sentence in made.refused_params:
        yield clean(sentence)
    for each in made.advice:
        yield clean(each.text)


def _chain(chain: ChainCost, made: Estimate) -> Iterator[str]:
    if chain.likely is None or chain.most is None:
        yield "What all steps cost together is not known."
        return
    yield f"All steps together: about {_money(chain.likely, made)}, {money_at_most(chain.most, made.currency)}."
    if chain.held_before is not None:
        how = "may" if chain.may else "would"
        yield clean(f"The file {how} be held before the step {chain.held_before}: {chain.reason}.")


def _left(limit: Limit, made: Estimate) -> str:
    allowed = f"{limit.name} allows {_money(limit.allowed, made)}"
    return f"{allowed}, of which {_money(limit.left, made)} are left {limit.period}" if limit.period else allowed


def name_of(quote: Quote) -> str:
    return f"{quote.provider}/{quote.model}"


def percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.0f} %"


def shows_most(made: Estimate) -> bool:
    """Whether any model's most in batches differs from its likely cost."""
    return any(each.batch is not None and each.batch.most != each.batch.likely for each in made.quotes)


def _plain(each: Quote, made: Estimate) -> str:
    own = " (the route's)" if (each.provider, each.model) == made.own else ""
    if each.batch is None or each.live is None:
        return f"{name_of(each)}{own}: price unknown"
    most = f", {_most(each.batch, made)}" if shows_most(made) else ""
    saves = "" if each.saving is None or each.saving <= 0 else f", saves {percent(each.saving)}"
    batch, live = _money(each.batch.likely, made), _money(each.live.likely, made)
    return f"{name_of(each)}{own}: batch {batch}{most}; live {live}{saves}"


def _most(span: Span, made: Estimate) -> str:
    return "no upper limit" if span.most is None else money_at_most(span.most, made.currency)


def _money(subunits: int, made: Estimate) -> str:
    return money(subunits, made.currency)


def _counted_by(made: Estimate) -> str:
    how = "estimated from bytes" if made.counted_by == "bytes" else f"counted with the vocabulary {made.counted_by}"
    if abs(made.correction - 1) >= 0.005:
        how += f", times {made.correction:.2f}, since past batches used more or fewer tokens than counted"
    elif made.counted_by == "bytes":
        how += " (pip install 'batchd[tokens]' counts them)"
    return how


def _output(made: Estimate) -> str:
    answers = made.answers
    if answers.basis is Basis.NONE:
        return "none, as embeddings have none"
    if answers.most is None:
        unlimited = made.counted.unlimited if made.counted is not None else 0
        most = f"without limit, as max_tokens is not set in {count(unlimited, 'request')}"
    else:
        most = f"at most {answers.most:,} tokens"
    past = made.past
    basis = {
        Basis.GIVEN: "as you said",
        Basis.PAST: "" if past is None else f"{past.each:,.0f} each, as {past.answers:,} answers to this route had",
        Basis.HALF: "half of it, since no job of this route has finished yet",
        Basis.GUESS: f"a guess of {GUESS} a request without limit, since no job of this route has finished yet",
    }[answers.basis]
    return f"{most}, likely {answers.likely:,} ({basis})"


def shown(span: Span | None, which: str, currency: str) -> str:
    """An amount for a column, without the currency."""
    if span is None:
        return "unknown"
    if which == "likely":
        return amount(span.likely, currency)
    return "no limit" if span.most is None else at_most(span.most, currency)
