"""Estimates the later steps of a chain. Their questions hold answers that are not there yet, so it makes some up."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...columns import free_names
from ...domain import rows
from ...domain.chains import later_steps
from ...model import BadRow
from ...money.budget import Account, SpendingLimits, limits_for
from ...money.pricing import at_most
from ...values import replace
from .estimate import ChainCost, Estimate, Estimating


def with_steps(estimating: Estimating, first: Estimate) -> Estimate:
    """Add the estimates of the later steps, as if every row went on, with an answer of likely length."""
    routes = {route.name: route for route in estimating.config.routes}
    before, steps = first, []
    columns: list[str] = []
    records: list[list[object]] = []
    if first.counted is not None:
        columns = list(first.counted.columns)
        read = (rows.decode(line) for line in first.counted.some)
        records = [list(record) for record in read if not isinstance(record, BadRow)]
    for step in later_steps(routes[str(first.route)].then if first.route in routes else None, routes):
        if before.counted is None or not before.requests or not records:
            break
        names = free_names(columns, before.counted.answer_columns)
        each = max(1, before.answers.likely // before.requests // len(names))
        columns += names
        records = [[*record, *[" ".join(["word"] * each)] * len(names)] for record in records]
        with tempfile.TemporaryDirectory(prefix="batchd-estimate-") as folder:
            file = Path(folder, f"answers for {step.name}.jsonl")
            file.write_bytes(b"".join(_line(columns, record) for record in records))
            asked = replace(step, reader=None, formats=None)
            before = estimating.of_file(file, asked, [], everything=False, expected=None, rows=before.requests)
        steps.append(before)
    return replace(
        first, steps=steps, chain=_whole(estimating.config.spending_limits(), first, steps) if steps else None
    )


def _whole(budget: SpendingLimits, first: Estimate, steps: Sequence[Estimate]) -> ChainCost:
    """What all steps cost, and before which the file would be held: `per_job` limits all of them together."""
    known = [step.cost for step in (first, *steps) if step.cost is not None and step.cost.most is not None]
    if len(known) <= len(steps):
        return ChainCost(None, None)
    likely = first.cost.likely if first.cost is not None else 0
    most = known[0].most or 0
    beyond = None
    for step, cost in zip(steps, known[1:], strict=True):
        # As the daemon decides when the step begins: by what was paid until then, and the most that the step can cost.
        for before, may in ((likely, False), (most, True)):
            account = Account(job=before, own=cost.most or 0)
            provider, route = step.quote().provider, str(step.route)
            limits = limits_for(budget, provider, route, account, first.route)
            limit = next((each for each in limits if not each.period and each.needed > each.left), None)
            if limit is not None and (beyond is None or (beyond.may and not may)):
                needs = f"all steps until then can cost at most {_amount(limit.needed, budget)}"
                reason = f"{needs}, and {limit.name} allows {_amount(limit.allowed, budget)}"
                beyond = ChainCost(None, None, route, reason, may)
        likely, most = likely + cost.likely, most + (cost.most or 0)
    return replace(beyond or ChainCost(None, None), likely=likely, most=most)


def _amount(subunits: int, budget: SpendingLimits) -> str:
    return f"{at_most(subunits, budget.currency)} {budget.currency}"


def _line(columns: list[str], record: list[object]) -> bytes:
    return msgspec.json.encode(dict(zip(columns, record, strict=True))) + b"\n"
