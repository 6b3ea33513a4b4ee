"""The sink `xlsx`: what another program finds in the workbook."""

from __future__ import annotations

import asyncio
import io

import openpyxl
import pytest

from batchd import Dialect, Failure, ResultRow, RowStatus
from batchd.plugin.catalogue import Catalogue
from batchd.testing.outbox import FakeRows, MemoryOutbox, many_rows, sample_job
from batchd_tables.xlsx_sink import CUT, XlsxSink

pytestmark = pytest.mark.field("results")
CATALOGUE = Catalogue.load()


def published(kind: str, rows: FakeRows, form: str = "xlsx") -> dict[str, bytes]:
    outbox = MemoryOutbox()
    rows.dialect = Dialect(form=form)
    asyncio.run(CATALOGUE.create("sink", kind, {}).publish(sample_job(outbox), rows))
    return outbox.files


def sheet(content: bytes, number: int = 0) -> list[list[object]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return [[cell.value for cell in row] for row in book.worksheets[number].iter_rows()]


def rows_of(*rows: ResultRow) -> FakeRows:
    return FakeRows(["id", "text"], ["answer"], lambda: iter(rows))


def answered(number: int, values: list[object], answer: object) -> ResultRow:
    return ResultRow(number, values, values, RowStatus.OK, [answer], None, None, None)


@pytest.mark.parametrize("kind", ["xlsx", "same"])
def test_numbers_stay_numbers_and_no_text_is_run(kind: str) -> None:
    late = Failure("late", "=late()")
    files = published(
        kind,
        rows_of(
            answered(0, [1.5, "=1+1"], "=cmd()"),
            answered(1, [12345678901234567890, "https://example.com"], True),
            ResultRow(2, ["007", None], ["007"], RowStatus.FAILED, (), late, None, None),
        ),
    )
    assert sheet(files[".results.xlsx"]) == [
        ["id", "text", "answer", "status", "error"],
        [1.5, "=1+1", "=cmd()", "ok", None],
        ["12345678901234567890", "https://example.com", True, "ok", None],
        ["007", None, None, "failed", "=late()"],
    ]
    book = openpyxl.load_workbook(io.BytesIO(files[".results.xlsx"]))
    assert {cell.data_type for row in book.active.iter_rows() for cell in row} <= {"s", "n", "b"}
    assert book.active["A1"].font.bold
    assert not book.active["B3"].hyperlink
    # The failed rows can be dropped again.
    assert sheet(files[".failed.xlsx"]) == [["id", "text"], ["007", None]]


def test_a_text_that_no_cell_holds_is_cut_and_says_so() -> None:
    [_, row] = sheet(published("xlsx", rows_of(answered(0, [1, "x" * 40_000], "a")))[".results.xlsx"])
    assert len(str(row[1])) == 32_767
    assert str(row[1]).endswith(CUT)


def test_more_rows_than_a_sheet_has_go_on_in_the_next() -> None:
    class Small(XlsxSink):
        max_rows = 4

    outbox = MemoryOutbox()
    asyncio.run(Small(Small.Settings()).publish(sample_job(outbox), many_rows(5)))
    content = outbox.files[".results.xlsx"]
    assert [len(sheet(content, number)) for number in (0, 1)] == [4, 3]
    assert sheet(content, 1)[1][0] == "3"
