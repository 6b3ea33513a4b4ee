"""A whole daemon gives a file back in the form that it came in."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest

from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

pytestmark = pytest.mark.field("results")


async def test_a_workbook_of_several_parts_comes_back_as_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [["id", "review"], *([number, f"Good {number}"] for number in range(7))]:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    household = Household(tmp_path, routes=[replace(REVIEWS, sinks=("same",), part_rows=3)])
    household.drop("reviews/may.xlsx", content.getvalue())
    await household.work()
    files = household.outbox()
    sheet = openpyxl.load_workbook(io.BytesIO(files["reviews/may.results.xlsx"])).active
    assert [[cell.value for cell in row][:2] for row in sheet.iter_rows()][1:] == [
        [number, f"Good {number}"] for number in range(7)
    ]
    assert {cell.value for cell in sheet["D"][1:]} == {"ok"}
