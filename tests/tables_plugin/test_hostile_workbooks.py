"""Workbooks that are made to do harm, are damaged, or are something else: refused at once, in words."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import pytest
from workbooks import HEADER, MAIN, PARTS, hand_made, read, refused, sheet

from batchd import FileRefused, Source, UnpackLimits
from batchd_tables.xlsx_reader import XlsxReader

pytestmark = pytest.mark.field("hostile files")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
ELSEWHERE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
ROW = '<row r="2"><c r="A2" t="str"><v>&a;</v></c></row>'
BOOK = "xl/workbook.xml"
SHEET = "xl/worksheets/sheet1.xml"


def test_what_is_no_workbook_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "may.xlsx"
    cases = {
        b"": ("empty", "completely empty"),
        b"id,text\n1,2\n": ("binary", "CSV"),
        b"<html><table>": ("binary", "web page"),
        b"\x00\x01\x02": ("binary", "another kind"),
        OLE + b"x" * 600: ("binary", "before 2007"),
        OLE + b"x" * 600 + "EncryptedPackage".encode("utf-16-le"): ("encrypted", "Remove the password"),
        b"PK\x03\x04 and no more": ("archive", "cut off"),
    }
    faults = []
    for content, (code, words) in cases.items():
        path.write_bytes(content)
        found = refused(path)
        if found[0] != code or words not in found[1] or "drop" not in found[1]:
            faults.append(f"{content[:20]!r}: {found}")
    assert not faults, "\n".join(faults)


def test_xml_that_declares_anything_or_does_not_fit_is_refused(tmp_path: Path) -> None:
    header = PARTS[BOOK]
    cases = {
        "laughs in a sheet": ({SHEET: sheet(ROW, LAUGHS)}, "xml"),
        "a file in a sheet": ({SHEET: sheet(ROW, ELSEWHERE)}, "xml"),
        "laughs in the workbook": ({BOOK: LAUGHS + header}, "xml"),
        "laughs in the texts": ({"xl/sharedStrings.xml": f"{LAUGHS}<sst><si><t>&b;</t></si></sst>"}, "xml"),
        "laughs in the styles": ({"xl/styles.xml": f"{LAUGHS}<styleSheet/>"}, "xml"),
        "an entity that is not there": ({SHEET: sheet(ROW)}, "damaged"),
        "cut off": ({SHEET: sheet(ROW)[:-30]}, "damaged"),
        "no tags that fit": ({SHEET: sheet('<row r="1"><c r="A1"><v>1</c></row>')}, "damaged"),
        "bytes that are no text": (
            {SHEET: sheet("").encode().replace(b"</sheetData>", b"\xff</sheetData>")},
            "damaged",
        ),
        "no such text": ({SHEET: sheet('<row r="1"><c r="A1" t="s"><v>9</v></c></row>')}, "damaged"),
        "a text before the first": (
            {
                SHEET: sheet('<row r="1"><c r="A1" t="s"><v>-1</v></c></row>'),
                "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>id</t></si></sst>',
            },
            "damaged",
        ),
        "a column twice": ({SHEET: sheet('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>')}, "damaged"),
        "a far column": ({SHEET: sheet('<row r="1"><c r="ZZZZ1"><v>1</v></c></row>')}, "columns"),
        "deep": ({BOOK: "<a>" * 100_000}, "damaged"),
        "no sheet": ({BOOK: header.replace("<sheets>", "<sheets/><!--").replace("</sheets>", "-->")}, "no_sheet"),
        "no rows": ({SHEET: sheet("")}, "empty"),
    }
    faults = []
    for number, (kind, (parts, code)) in enumerate(cases.items()):
        found = refused(hand_made(tmp_path / f"{number}.xlsx", parts=parts))
        if found[0] != code or "drop" not in found[1]:
            faults.append(f"{kind}: {found}")
    assert not faults, "\n".join(faults)


def bomb(path: Path, piece: bytes, pieces: int) -> Path:
    """A workbook whose sheet has a header, and so often this piece."""
    hand_made(path, parts={SHEET: None})
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(SHEET, "w", force_zip64=True) as member,
    ):
        member.write(sheet(HEADER).partition("</sheetData>")[0].encode())
        for _ in range(pieces):
            member.write(piece)
    return path


def exhausted(path: Path, **settings: int) -> str:
    """The code with which it is refused, however many rows come before."""
    try:
        for _ in XlsxReader(XlsxReader.Settings(**settings)).read(Source(path, path.name)):
            pass
    except FileRefused as refusal:
        return refusal.code
    return "read"


@pytest.mark.slow
def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    rows = bomb(tmp_path / "rows.xlsx", b'<row r="2"><c r="A2"><v>1</v></c></row>' * 1_000, 20)
    endless = bomb(tmp_path / "endless.xlsx", b" " * 1_000_000, 80)
    tracemalloc.start()
    try:
        found = [exhausted(rows, max_unpacked=500_000), exhausted(rows, max_files=2), exhausted(endless)]
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert found == ["too_large", "too_many_files", "too_long"]
    with zipfile.ZipFile(endless) as archive, pytest.raises(FileRefused, match="200 times its size"):
        UnpackLimits().check(70_000_000, archive.getinfo(SHEET).compress_size)


def test_sizes_that_lie_are_noticed(tmp_path: Path) -> None:
    path = hand_made(tmp_path / "may.xlsx", '<row r="2"><c r="A2"><v>7</v></c></row>' * 50)
    whole = path.read_bytes()
    place = whole.rindex(b"PK\x01\x02", 0, whole.rindex(SHEET.encode()))
    path.write_bytes(whole[: place + 24] + (100).to_bytes(4, "little") + whole[place + 28 :])
    assert refused(path)[0] in {"archive", "damaged"}
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(path)[0] == "archive"


def test_names_inside_are_no_paths(tmp_path: Path) -> None:
    outside = tmp_path / "outside.xml"
    path = hand_made(tmp_path / "may.xlsx", '<row r="2"><c r="A2"><v>7</v></c></row>', {"../outside.xml": "<x/>"})
    assert read(path) == [["id"], [7]]
    assert not outside.exists()


def test_a_cell_in_the_last_corner_costs_nothing(tmp_path: Path) -> None:
    path = hand_made(tmp_path / "may.xlsx", '<row r="1048576"><c r="XFD1048576"><v>7</v></c></row>')
    tracemalloc.start()
    try:
        assert read(path)[1].failure.code == "ragged"
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
