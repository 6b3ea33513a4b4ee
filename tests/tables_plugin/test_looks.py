"""A workbook comes back as it looked: widths, formats of numbers, dates as dates, the style of the header."""

from __future__ import annotations

import asyncio
import io
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.colors import Color
from workbooks import HEADER, hand_made, sheet

from batchd import Failure, ResultRow, RowStatus, Settings, Source
from batchd.testing.outbox import FakeRows, MemoryOutbox, sample_job
from batchd_tables.xlsx_reader import XlsxReader
from batchd_tables.xlsx_sink import XlsxSink

pytestmark = pytest.mark.field("files")

COLUMNS: list[tuple[str, list[Any], str, float]] = [
    ("id", [7, 1234], "00000", 9.0),
    ("day", [datetime(2026, 5, 1), datetime(1999, 12, 31)], "dd.mm.yyyy", 14.5),  # noqa: DTZ001  # a sheet has no time zones
    ("at", [datetime(2026, 5, 1, 10, 30, 15), datetime(1900, 1, 5, 12)], "yyyy-mm-dd hh:mm:ss", 22.0),  # noqa: DTZ001  # a sheet has no time zones
    ("time", [time(16, 5), time(0, 0, 1)], "h:mm", 8.0),
    ("worked", [timedelta(hours=26, minutes=30), timedelta(minutes=1)], "[h]:mm", 8.5),
    ("price", [1.1, 1234.5], '#,##0.00 "€"', 12.0),
    ("share", [0.25, 1], "0%", 7.0),
    ("code", ["0042", "1.10"], "@", 11.0),
    ("plain", [1, "text"], "General", 33.0),
]


def workbook(path: Path) -> Path:
    """As an office makes them: a title, a colored header, formats, widths, a hidden column."""
    book = openpyxl.Workbook()
    page = book.active
    page["A1"] = "Reviews of May"
    fill = PatternFill("solid", fgColor=Color(theme=4, tint=0.4))
    for place, (name, values, code, width) in enumerate(COLUMNS, start=1):
        header = page.cell(2, place, name)
        header.font = Font(name="Arial", size=12, bold=True, italic=True, color="FFC00000")
        header.fill, header.alignment = fill, Alignment(horizontal="center", wrap_text=True)
        header.border = Border(bottom=Side("medium"))
        for row, value in enumerate(values, start=3):
            page.cell(row, place, value).number_format = code
        page.column_dimensions[openpyxl.utils.get_column_letter(place)].width = width
    page.column_dimensions["F"].hidden = True
    book.save(path)
    return path


def passed_through(path: Path) -> tuple[list[Any], dict[str, bytes]]:
    """The records that are read, and the files of results."""
    reader = XlsxReader(XlsxReader.Settings())
    names, *records = reader.read(Source(path, path.name))
    late = Failure("late", "Too late.")

    def rows() -> Any:
        for number, record in enumerate(records):
            status = RowStatus.FAILED if number else RowStatus.OK
            answer = () if number else ["yes"]
            yield ResultRow(number, record, record, status, answer, late if number else None, None, None)  # type: ignore[arg-type]

    fake = FakeRows([str(name) for name in names], ["answer"], rows)  # type: ignore[union-attr]
    fake.dialect = reader.dialect()
    outbox = MemoryOutbox()
    asyncio.run(XlsxSink(Settings()).publish(sample_job(outbox), fake))
    return [names, *records], outbox.files


def test_widths_formats_types_and_the_header_are_those_of_the_dropped_workbook(tmp_path: Path) -> None:
    records, files = passed_through(workbook(tmp_path / "may.xlsx"))
    page = openpyxl.load_workbook(io.BytesIO(files[".results.xlsx"])).active
    faults = []
    for place, (name, values, code, width) in enumerate(COLUMNS, start=1):
        letters = openpyxl.utils.get_column_letter(place)
        cells = [page.cell(row, place) for row in (2, 3)]
        if [cell.value for cell in cells] != values:
            faults.append(f"{name}: {[cell.value for cell in cells]} for {values}")
        shown = {cell.number_format for cell in cells if name != "plain"}
        if shown - {code}:
            faults.append(f"{name}: {shown} for {code}")
        if abs(page.column_dimensions[letters].width - width) > 0.8:
            faults.append(f"{name}: width {page.column_dimensions[letters].width} for {width}")
    assert not faults, "\n".join(faults)
    assert page.column_dimensions["F"].hidden
    assert not page.column_dimensions["E"].hidden
    header = page["A1"]
    assert (header.font.name, header.font.sz, header.font.b, header.font.i) == ("Arial", 12, True, True)
    assert header.font.color.rgb == "FFC00000"
    assert (header.fill.fill_type, header.alignment.horizontal, header.alignment.wrap_text) == ("solid", "center", True)
    assert header.fill.fgColor.rgb == "FF95B3D7", "the theme's accent, lighter"
    assert header.border.bottom.style == "medium"
    assert page["L1"].value == "error"
    # Read again, the cells are those that were read.
    again = tmp_path / "again.xlsx"
    again.write_bytes(files[".failed.xlsx"])
    assert list(XlsxReader(XlsxReader.Settings()).read(Source(again, again.name))) == [records[0], records[2]]


def test_a_number_of_another_format_than_its_column_stays_that_number(tmp_path: Path) -> None:
    path = tmp_path / "odd.xlsx"
    book = openpyxl.Workbook()
    page = book.active
    page.append(["day", "text day", "id"])
    for day in range(3):
        page.append([date(2026, 5, 1 + day), "2026-05-01", 5])
        page.cell(page.max_row, 3).number_format = "000"
    page.append([45, "2026-5-1", -5])
    page.append([0.125, "x", 5.5])  # 3:00 if it were a time
    book.save(path)
    records, files = passed_through(path)
    again = tmp_path / "again.xlsx"
    again.write_bytes(files[".results.xlsx"])
    _, *rows = XlsxReader(XlsxReader.Settings()).read(Source(again, again.name))
    assert [list(row)[:3] for row in rows] == [list(row) for row in records[1:]]  # type: ignore[arg-type]
    page = openpyxl.load_workbook(again).active
    assert [page["B2"].value, page["A5"].value, page["A5"].number_format] == ["2026-05-01", 45, "General"]
    assert [page["A6"].value, page["C6"].value] == [0.125, 5.5]


def test_styles_of_strangers_do_no_harm(tmp_path: Path) -> None:
    styles = (
        '<styleSheet><numFmts><numFmt numFmtId="200" formatCode="'
        + "0" * 300
        + '"/><numFmt numFmtId="x" formatCode="[$-"/>'
        '</numFmts><fonts><font><sz val="1e9"/><color rgb="zz"/><name val="' + "n" * 99 + '"/></font></fonts>'
        '<fills><fill><patternFill patternType="solid"><fgColor theme="99" tint="nan"/></patternFill></fill></fills>'
        '<borders><border><top style="odd"/></border></borders><cellXfs><xf numFmtId="200" fontId="0" fillId="0" '
        'borderId="0"/><xf numFmtId="99999999999" fontId="7" fillId="-1"/><xf numFmtId="x"/><xf numFmtId="57"/></cellXfs></styleSheet>'
    )
    rows = (
        "".join(f'<row r="{row}"><c r="A{row}" s="{row % 6}"><v>{row}</v></c></row>' for row in range(2, 12))
        + '<row r="12"><c r="A12" s="99999"><v>1</v></c></row>'
    )
    columns = '<cols><col min="1" max="16384" width="-3"/><col min="x" width="1e400"/><col min="1" max="9999999" width="9" hidden="1"/></cols>'
    text = sheet(HEADER.replace('r="A1"', 'r="A1" s="0"') + rows).replace("<sheetData>", f"{columns}<sheetData>")
    path = hand_made(tmp_path / "odd.xlsx", parts={"xl/styles.xml": styles, "xl/worksheets/sheet1.xml": text})
    _, files = passed_through(path)
    page = openpyxl.load_workbook(io.BytesIO(files[".results.xlsx"])).active
    assert page["A1"].value == "id"
    assert page.max_row == 12
