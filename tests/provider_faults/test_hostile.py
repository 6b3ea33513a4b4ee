"""A service that means ill, through the whole daemon: every call of a job is answered so once, and nothing leaves."""

from __future__ import annotations

import base64

import pytest

from ..cases import pairs
from .conftest import KEY, MakePair

pytestmark = [pytest.mark.slow, pytest.mark.field("hostile services")]

CALLS = ("upload", "retrieve", "content", "create")


@pytest.mark.parametrize(("call", "kind"), pairs(CALLS, ["redirect", "endless", "bomb", "echo"]))
async def test_a_job_comes_to_its_end_and_is_paid_once(make_pair: MakePair, call: str, kind: str) -> None:
    pair = await make_pair(f"{call}:{kind}")
    pair.household.drop("reviews/may.csv", "review\ngood\nbad\n")
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    assert ledger["requests_executed"] <= 2
    forms = [KEY.encode(), "".join(f"\\u{ord(each):04x}" for each in KEY).encode(), base64.b64encode(KEY.encode())]
    for path in pair.household.folder.rglob("*"):
        # What the sandbox itself stores lies elsewhere.
        if path.is_file() and "sandbox" not in path.parts:
            content = path.read_bytes()
            assert not [form for form in forms if form in content], path
