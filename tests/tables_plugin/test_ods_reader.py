"""The reader `ods`: what LibreOffice writes, and what is made to do harm."""

from __future__ import annotations

import csv
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from workbooks import read, refused

from batchd import BadRow
from batchd_tables.ods_reader import OdsReader
from batchd_tables.xlsx_reader import XlsxReader

pytestmark = pytest.mark.field("files")
O = "urn:oasis:names:tc:opendocument:xmlns"  # noqa: E741  # short, since it is written often
ROOT = (
    f'<office:document-content xmlns:office="{O}:office:1.0" xmlns:table="{O}:table:1.0" xmlns:text="{O}:text:1.0" '
    f'xmlns:style="{O}:style:1.0">'
)
STYLES = '<office:automatic-styles><style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style></office:automatic-styles>'


def cell(kind: str, value: str = "", shown: str = "", more: str = "") -> str:
    key = {
        "float": "value",
        "percentage": "value",
        "date": "date-value",
        "time": "time-value",
        "boolean": "boolean-value",
    }
    written = f' office:{key[kind]}="{value}"' if kind in key else ""
    return f'<table:table-cell office:value-type="{kind}"{written}{more}><text:p>{shown or value}</text:p></table:table-cell>'


def row(*cells: str, times: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{times}">{"".join(cells)}</table:table-row>'


def ods(path: Path, *rows: str, before: str = "", manifest: str = "<x/>") -> Path:
    """A spreadsheet with these rows in the sheet May, after a hidden one."""
    filler = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    content = (
        f'<?xml version="1.0"?>{before}{ROOT}{STYLES}<office:body><office:spreadsheet><table:table table:name="Old" '
        f'table:style-name="ta2">{row(cell("string", "secret"))}</table:table><table:table table:name="May" '
        f'table:style-name="ta1"><table:table-column/>{"".join(rows)}{filler}</table:table>'
        f'<table:table table:name="Next">{row(cell("string", "next"))}{row(cell("float", "1"))}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return path


def reader(**settings: object) -> OdsReader:
    return OdsReader(OdsReader.Settings(**settings))


HEADER = row(cell("string", shown="a"), cell("string", shown="b"))
CELLS = [
    (cell("float", "3"), 3),
    (cell("float", "1.10", "1,10"), 1.1),
    (cell("float", "42", "00042"), "00042"),
    (cell("percentage", "0.12", "12%"), 0.12),
    (cell("date", "2026-05-01", "01.05.26"), "2026-05-01"),
    (cell("date", "2026-05-01T10:30:00", "x"), "2026-05-01T10:30:00"),
    (cell("time", "PT16H05M00S", "16:05"), "16:05:00"),
    (cell("time", "PT10H30M15.5S", "10:30"), "10:30:15.500"),
    (cell("time", "PT10H30M15,0004S", "10:30"), "10:30:15"),
    (cell("time", "PT10H59M59.9999999S", "11:00"), "11:00:00"),
    (cell("time", "-P1DT2H0M0.25S", "-26:00"), "-26:00:00.250"),
    (cell("boolean", "true", "WAHR"), True),
    (cell("string", shown="007"), "007"),
    (cell("string", shown='a<text:s text:c="2"/>b<text:tab/><text:span>c</text:span> &amp; d'), "a  b\tc & d"),
    (('<table:table-cell office:value-type="string"><office:annotation><text:p>note</text:p></office:annotation>'
     "<text:p>one</text:p><text:p>two</text:p></table:table-cell>"), "one\ntwo"),
    (cell("string", shown="#N/A"), "#N/A"),
    ("<table:covered-table-cell/>", None),
]  # fmt: skip


def test_cells_are_read_as_people_see_them(tmp_path: Path) -> None:
    rows = [row(one, cell("string", shown=".")) for one, _ in CELLS]
    read_ = reader()
    header, *found = read(ods(tmp_path / "may.ods", HEADER, *rows), read_)
    assert header == ["a", "b"]
    faults = [
        f"{row_[0]!r}, not {value!r}" for (_, value), row_ in zip(CELLS, found, strict=True) if row_ != [value, "."]
    ]
    assert not faults, "\n".join(faults)
    assert read_.describe() == {"format": "ods", "sheet": "May", "header_row": 1}


def test_repeated_rows_and_cells_and_other_sheets(tmp_path: Path) -> None:
    twice = '<table:table-cell office:value-type="float" office:value="7" table:number-columns-repeated="2"/>'
    path = ods(tmp_path / "may.ods", HEADER, row("<table:table-cell/>", times=5), row(twice, times=2))
    assert read(path, reader()) == [["a", "b"], [7, 7], [7, 7]]
    assert read(path, reader(sheet="next")) == [["next"], [1]]
    code, words = refused(path, reader(sheet="June"))
    assert (code, "“Old”, “May”, “Next”" in words) == ("no_sheet", True)
    formula = '<table:table-cell table:formula="of:=1+1"/>'
    [_, bad] = read(ods(path, HEADER, row(formula)), reader())
    assert isinstance(bad, BadRow)
    assert bad.failure.message.startswith("Cell A2 has a formula")


ODD = [
    (cell("string", shown=""), cell("float", "1")),
    (cell("string", shown="Anna &amp; Bo"), cell("float", "-2.5", "-2,5")),
    (cell("string", shown="x"), cell("float", "7", "007")),
    ("<table:table-cell/>", cell("float", "3")),
    (cell("string", shown="x"), '<table:table-cell table:number-columns-repeated="3"/>'),
    (cell("string", shown="x"), cell("boolean", "true", more=' table:formula="of:=TRUE()"')),
    (cell("string", shown="x"), cell("date", "2026-05-01", more=' table:style-name="ce7"')),
    (cell("string", shown="x"), '<table:table-cell table:formula="of:=1+1"/>'),
    (cell("time", "PT1H2M3S", "1:02"), cell("percentage", "0.5", "50 %")),
    (cell("string", shown="x<text:s/>y"), cell("string", shown="1_0")),
    (
        '<table:table-cell office:value-type="string" office:string-value="other"><text:p>shown</text:p></table:table-cell>',
    ),
    (cell("float", "7", more=' table:number-columns-repeated="2"'),),
    (cell("string", shown="one"),),
]


def test_rows_of_many_shapes_are_those_that_are_parsed(tmp_path: Path) -> None:
    usual = [
        row(cell("string", shown=f"text {n}"), cell("float", str(n))).replace(' table:number-rows-repeated="1"', "")
        for n in range(60)
    ]
    odd = [row(*each).replace(' table:number-rows-repeated="1"', "") for each in ODD]
    tables = {
        "each once": [*usual, *odd, *usual],
        "in turns": [each for pair in zip(usual, odd * 5, strict=False) for each in pair],
        "each often": [each for one in odd for each in [one] * 4],
        "repeated rows": [*usual, row(cell("string", shown="x"), cell("float", "1"), times=3), *usual],
        "one column": [row(cell("float", str(n))).replace(' table:number-rows-repeated="1"', "") for n in range(9)],
    }
    faults = []
    for name, rows in tables.items():
        quick = read(ods(tmp_path / "quick.ods", HEADER, *rows), reader())
        # With a comment in it, nothing is taken for usual.
        parsed = read(ods(tmp_path / "parsed.ods", HEADER, *rows, "<!-- -->"), reader())
        assert len(quick) > len(rows) / 2
        faults += [f"{name}: {one} and {two}" for one, two in zip(quick, parsed, strict=True) if repr(one) != repr(two)]
    assert not faults, "\n".join(faults)


@pytest.mark.field("hostile files")
def test_what_is_made_to_do_harm_is_refused(tmp_path: Path) -> None:
    wide = '<table:table-cell office:value-type="float" office:value="7" table:number-columns-repeated="{}"/>'
    path = tmp_path / "may.ods"
    cases = {
        "columns": ods(path, HEADER, row(wide.format(10**8))),
        "rows": ods(tmp_path / "2.ods", HEADER, row(wide.format(1), times=10**8)),
        "xml": ods(tmp_path / "3.ods", HEADER, before='<!DOCTYPE x [<!ENTITY a "ha">]>'),
        "encrypted": ods(tmp_path / "4.ods", HEADER, manifest="<manifest:encryption-data/>"),
        "too_large": ods(tmp_path / "5.ods", row(wide.format(16_000).replace("float", "string")), row(wide.format(16_000), times=100_000)),
    }  # fmt: skip
    limited = reader(max_unpacked=10_000_000)
    faults = [f"{code}: {found}" for code, each in cases.items() if (found := refused(each, limited))[0] != code]
    assert not faults, "\n".join(faults)


@pytest.mark.third
@pytest.mark.outside
@pytest.mark.slow
def test_what_libreoffice_writes_is_read(tmp_path: Path) -> None:
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed")
    table = [["id", "text", "stars"], ["007", "Đẹp & gut", "5"], ["1234567890123456789", "two\nlines", "1"]]
    with (tmp_path / "may.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(table)
    for kind, each in (("ods", reader()), ("xlsx", XlsxReader(XlsxReader.Settings()))):
        subprocess.run(
            [program, f"-env:UserInstallation=file://{tmp_path}/home", "--headless", "--convert-to", kind,
             "--infilter=CSV:44,34,76,1,1/2/2/2", "may.csv"], cwd=tmp_path, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        assert read(tmp_path / f"may.{kind}", each) == [
            table[0],
            ["007", "Đẹp & gut", 5],
            ["1234567890123456789", "two\nlines", 1],
        ]
