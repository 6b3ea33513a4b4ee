"""What the later steps of a chain would cost: the answers in their questions are not there yet, so they are made up."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec

from ...columns import free_names
from ...domain import rows
from ...domain.chains import later_steps
from ...model import BadRow
from .estimate import Estimate, Estimating


def with_steps(estimating: Estimating, first: Estimate) -> Estimate:
    """The estimate of a file, with those of the later steps: every row goes on, with an answer of likely length."""
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
    return replace(first, steps=steps)


def _line(columns: list[str], record: list[object]) -> bytes:
    return msgspec.json.encode(dict(zip(columns, record, strict=True))) + b"\n"
