"""The outcome of a try, in words: plain lines for a pipe, the lines below the table, and a record for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ...answers.agreement import Agreement, agreement
from ...app.estimating.record import units
from ...model import Json, Usage
from ...money.lanes import Lane
from ...status.formatting import count, money, one_line

if TYPE_CHECKING:
    from ...app.estimating.trying import Column, RowAnswer, Tried, TryPlan

CELLS_SHOWN = 3


class Whole(Struct, frozen=True):
    """What the whole file would cost on a model, in subunits; None if the price is not known."""

    batch: int | None
    live: int | None


def whole(plan: TryPlan, tried: Tried) -> Whole:
    """The cost of the whole file, if answers are as long as those of the try, or else as in the estimate."""
    made, column, record = plan.estimate, tried.column, tried.record
    asked = (column.route.provider, column.route.model)
    quote = next(each for each in made.quotes if (each.provider, each.model) == asked)
    if quote.terms is None or quote.batch is None or quote.live is None or not made.requests:
        return Whole(None, None)
    if record is None or not record.ok or not record.output_tokens:
        return Whole(quote.batch.likely, quote.live.likely)
    each = Usage(round(quote.input_tokens / made.requests), 0, round(record.output_tokens / record.ok))
    batch, live = (quote.terms.at(lane).cost(each) * made.requests for lane in (Lane.BATCH, Lane.LIVE))
    return Whole(batch, live)


def agreed(tried: Sequence[Tried]) -> Agreement | None:
    """How far the models agree; None if there is only one."""
    return agreement([[each.answer for each in one.outcomes] for one in tried]) if len(tried) > 1 else None


def exit_status(tried: Sequence[Tried]) -> int:
    """The exit status of the try. If several apply, the worst one wins."""
    records = [each.record for each in tried]
    if any(record is None or not record.over for record in records) or any(
        each.trouble and each.record and each.record.reason_code is None for each in tried
    ):
        return 5
    held = [record.reason_code for record in records if record is not None and record.state == "cancelled"]
    if any(code != "provider_refused" for code in held):
        return 6
    if held:
        return 1
    return 3 if any(outcome.answer is None and not outcome.empty for each in tried for outcome in each.outcomes) else 0


def lines(plan: TryPlan, tried: Sequence[Tried]) -> Iterator[str]:
    for place, row in enumerate(plan.rows):
        yield one_line(f"row {row + 1}: {cells_of(plan, place)}")
        for each in tried:
            yield one_line(f"  {each.column.name}: {in_words(each.outcomes[place])}")
    yield from closing(plan, tried)


def closing(plan: TryPlan, tried: Sequence[Tried]) -> Iterator[str]:
    """The lines after the answers: how far the models agree, and money."""
    same = agreed(tried)
    if same is not None and same.rows:
        yield f"The models agree about {same.same:,} of {count(same.rows, 'row')} that all of them answered."
        if len(same.columns) > 1:
            per = ", ".join(f"{name} {number:,} of {same.rows:,}" for name, number in same.columns.items())
            yield one_line(f"By column: {per}.")
    for each in tried:
        yield one_line(f"{each.column.name}: {cost_of(plan, each)}")
    if any(each.record is not None and each.record.ok for each in tried):
        kept = "These answers are kept for 7 days, and not paid for again"
        yield one_line(f"{kept}. To ask all: drop {plan.file.name} into the inbox.")


def cost_of(plan: TryPlan, tried: Tried) -> str:
    """What the try cost on a model, and what the whole file would cost, as a sentence."""
    record, currency = tried.record, plan.estimate.currency
    if tried.trouble is not None and (record is None or not record.ok):
        return f"not asked: {tried.trouble}"
    assert record is not None, "what was answered is on record"
    paid = "at a price that is not known" if record.cost is None else f"for {money(record.cost, currency)}"
    if record.reused and record.cost is None:
        paid = "for nothing"
    again = f" ({record.reused:,} asked before)" if record.reused else ""
    all_of_it = whole(plan, tried)
    costs = "what the whole file costs is not known"
    if all_of_it.batch is not None and all_of_it.live is not None:
        batch, live = money(all_of_it.batch, currency), money(all_of_it.live, currency)
        batches = "" if batch == live else f"{batch} in batches, "
        costs = f"the whole file costs about {batches}{live} live"
    if not record.ok and record.cost is None:
        return f"no answers; {costs}."
    return f"{count(record.ok, 'answer')}{again} {paid}; {costs}."


def in_words(outcome: RowAnswer) -> str:
    """An answer on one line: the value, or values with their columns."""
    if outcome.answer is None:
        if outcome.empty:
            return f"skipped: {outcome.error}"
        return f"failed: {outcome.error}" if outcome.error is not None else "not asked"
    if len(outcome.answer) == 1:
        return _text(next(iter(outcome.answer.values())))
    return ", ".join(f"{name}: {_text(value)}" for name, value in outcome.answer.items())


def cells_of(plan: TryPlan, place: int) -> str:
    """The cells that the row is asked about, or its first ones."""
    shown = [name for name in plan.needed if name in plan.names] or list(plan.names[:CELLS_SHOWN])
    values = [_text(plan.cells[place][plan.names.index(name)]) for name in shown[:CELLS_SHOWN]]
    return " | ".join(values)


def _text(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def record(plan: TryPlan, tried: Sequence[Tried]) -> dict[str, Any]:
    """The outcome for machines. Money is in units of the currency, null if not known. Rows are counted from 1."""
    same = agreed(tried)
    return {
        "file": plan.file.name,
        "route": plan.route.name,
        "currency": plan.estimate.currency,
        "rows": [
            {"row": row + 1, "cells": dict(zip(plan.names, cells, strict=False))}
            for row, cells in zip(plan.rows, plan.cells, strict=True)
        ],
        "models": [_column(plan, each) for each in tried],
        "agreement": None if same is None else {"rows": same.rows, "same": same.same, "columns": dict(same.columns)},
        "whole_rows": plan.estimate.counted.rows if plan.estimate.counted is not None else None,
    }


def _column(plan: TryPlan, tried: Tried) -> dict[str, Any]:
    column: Column = tried.column
    found, all_of_it, currency = tried.record, whole(plan, tried), plan.estimate.currency
    return {
        "provider": column.route.provider,
        "model": column.route.model,
        "job": column.job,
        "lane": None if found is None else found.lane,
        "answers": [
            {"row": row + 1, "answer": None if each.answer is None else dict(each.answer), "error": each.error}
            for row, each in zip(plan.rows, tried.outcomes, strict=True)
        ],
        "ok": 0 if found is None else found.ok,
        "reused": 0 if found is None else found.reused,
        "cost": None if found is None else units(found.cost, currency),
        "whole": {"batch": units(all_of_it.batch, currency), "live": units(all_of_it.live, currency)},
        "reason": tried.trouble,
    }
