"""Files of answers that are not what they should be: all that can be read is delivered, and nothing is asked twice."""

from __future__ import annotations

import pytest

from .conftest import NINE, MakePair

pytestmark = [pytest.mark.slow, pytest.mark.field("answers")]

READ = [
    "content:gzip", "content:bom", "content:utf-16", "content:blank", "content:array", "content:under-key",
    "content:pretty", "content:one-line", "content:twice", "content:otherwise", "content:strangers", "line:crlf",
    "line:both:lines=1-9", "line:both:lines=5", "batch:counts-lie", "batch:empty-ids",
]  # fmt: skip
"""Whole, in one form or another: fetched once."""
LATE = ["content:torn", "content:404:count=3", "retrieve:no-files:count=3", "content:half", "content:empty"]
"""What is there is not all, for a while: fetched again."""
PARTLY = ["batch:broken", "batch:expired", "batch:cancelled"]
"""Ended with half of the answers: the other half is asked again."""


async def test_what_can_be_read_is_delivered_and_paid_once(make_pair: MakePair) -> None:
    pair = await make_pair()
    faults = []
    before = await pair.sandbox.ledger()
    for number, fault in enumerate([*READ, *LATE, *PARTLY]):
        await pair.sandbox.order(fault)
        rows = [f"{fault} {each}" for each in NINE]
        await pair.ask(rows, name=f"may{number}")
        after = await pair.sandbox.ledger()
        said = [row["answer"][: len("You wrote: ") + len(rows[0])] for row in pair.rows(f"may{number}")]
        right = {
            "answers": said == [f"You wrote: {row}" for row in rows],
            "statuses": pair.statuses(f"may{number}") == ["ok"] * 9,
            "executed": after["requests_executed"] == before["requests_executed"] + 9,
            "batches": after["create_calls"] == before["create_calls"] + 1 + (fault in PARTLY),
            "fetched once": fault not in READ
            or after["calls"]["content"] <= before["calls"].get("content", 0) + 1 + ("both" in fault),
        }
        faults += [f"{fault}: {what}" for what, so in right.items() if not so]
        await pair.sandbox.lift()
        before = after
    assert not faults, "\n".join(faults)
    await pair.paid()
