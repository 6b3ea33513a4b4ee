"""The reader `xlsx`: what people have in workbooks, as openpyxl, XlsxWriter and other programs write it."""

from __future__ import annotations

import datetime as dt
import random
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import python_calamine
import xlsxwriter
from workbooks import HEADER, MAIN, PARTS, hand_made, read, refused, sheet

from batchd import BadRow, FileRefused
from batchd_tables.texts import Texts
from batchd_tables.xlsx_reader import XlsxReader

pytestmark = pytest.mark.field("files")
DAY = dt.date(2026, 5, 1)
moment = partial(dt.datetime, tzinfo=None)
CELLS: list[tuple[str, Any, str | None, Any]] = [
    ("text", "Đẹp & <b> 👍🏽\nline", None, "Đẹp & <b> 👍🏽\nline"),
    ("spaces", "  kept  ", None, "  kept  "),
    ("zeros in front, as text", "007", None, "007"),
    ("long id, as text", "1234567890123456789", None, "1234567890123456789"),
    ("integer", 3, None, 3),
    ("integer that is stored as a float", 3.0, None, 3),
    ("negative", -12, None, -12),
    ("float", 1.1, None, 1.1),
    ("large", 123456789012345, None, 123456789012345),
    ("beyond", 1.5e300, None, 1.5e300),
    ("true", True, None, True),
    ("false", False, None, False),
    ("date", DAY, "dd.mm.yyyy", "2026-05-01"),
    ("American date", DAY, "[$-409]m/d/yy;@", "2026-05-01"),
    ("month", DAY, "mmmm", "2026-05-01"),
    ("date with a time that is hidden", moment(2026, 5, 1, 10, 30), "yyyy-mm-dd", "2026-05-01T10:30:00"),
    ("moment", moment(2026, 5, 1, 10, 30), "dd/mm/yyyy hh:mm", "2026-05-01T10:30:00"),
    ("midnight", moment(2026, 5, 1), "yyyy-mm-dd hh:mm", "2026-05-01T00:00:00"),
    ("milliseconds", moment(2026, 5, 1, 1, 2, 3, 456_000), "yyyy-mm-dd hh:mm:ss.000", "2026-05-01T01:02:03.456"),
    ("time", dt.time(16, 5), "hh:mm", "16:05:00"),
    ("duration", dt.timedelta(hours=26, minutes=30), "[h]:mm", "26:30:00"),
    ("percent", 0.12, "0.00%", 0.12),
    ("currency", 12.5, '#,##0.00 "days"', 12.5),
    ("digits", 42, "00000", "00042"),
    ("empty", None, None, None),
    ("carriage return", "a\r\nb", None, "a\r\nb"),
    ("looks like an escape", "_x0041_", None, "_x0041_"),
    ("looks like a formula", "'=1+1", None, "'=1+1"),
]


def by_openpyxl(path: Path) -> None:
    workbook = openpyxl.Workbook()
    data = workbook.active
    data.append(["kind", "value", "end"])
    for number, (kind, value, format_, _) in enumerate(CELLS, start=2):
        data.append([kind, value, "."])
        if format_:
            data.cell(number, 2).number_format = format_
    workbook.save(path)


def by_xlsxwriter(path: Path, **options: Any) -> None:
    with xlsxwriter.Workbook(path, options) as workbook:
        data = workbook.add_worksheet("Data")
        data.write_row(0, 0, ["kind", "value", "end"])
        for number, (kind, value, format_, _) in enumerate(CELLS, start=1):
            style = workbook.add_format({"num_format": format_} if format_ else {})
            data.write(number, 0, kind)
            if isinstance(value, str):
                data.write_string(number, 1, value, style)
            else:
                data.write(number, 1, value, style)
            data.write(number, 2, ".")


@pytest.mark.parametrize("write", [by_openpyxl, by_xlsxwriter, lambda path: by_xlsxwriter(path, constant_memory=True)])
def test_cells_are_read_as_people_see_them(tmp_path: Path, write: Any) -> None:
    write(path := tmp_path / "may.xlsx")
    header, *rows = read(path)
    assert header == ["kind", "value", "end"]
    faults = [
        f"{kind}: {row}, not {expected!r}"
        for (kind, value, _, expected), row in zip(CELLS, rows, strict=True)
        if row != [kind, expected, "."]
        # openpyxl writes both kinds of line end as they are, and XML has only one.
        and not (kind == "carriage return" and row[1] == "a\nb")
        and not (kind == "looks like an escape" and row[1] == "A")
    ]
    assert not faults, "\n".join(faults)


def test_other_readers_see_the_same_cells(tmp_path: Path) -> None:
    by_xlsxwriter(path := tmp_path / "may.xlsx")
    theirs = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    plain = {kind for kind, _, format_, _ in CELLS if format_ is None}
    for mine, other in zip(read(path)[1:], theirs[1:], strict=True):
        if mine[0] in plain - {"looks like an escape"}:
            assert mine == [None if cell == "" else cell for cell in other]


def test_sheets(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    notes = workbook.active
    notes.title, notes.sheet_state = "Notes", "hidden"
    notes.append(["secret"])
    for name in ("May", "June & July"):
        workbook.create_sheet(name).append(["id"])
        workbook[name].append([name])
    workbook.create_chartsheet("Chart", 0)
    workbook.save(path := tmp_path / "may.xlsx")
    assert read(path) == [["id"], ["May"]]
    assert read(path, sheet="june & JULY") == [["id"], ["June & July"]]
    reader = XlsxReader(XlsxReader.Settings())
    read(path, reader)
    assert reader.describe() == {"format": "xlsx", "sheet": "May", "header_row": 1, "other_sheets": ["June & July"]}
    code, words = refused(path, sheet="Juni")
    assert code == "no_sheet"
    assert "“Notes”, “May”, “June & July”" in words
    workbook["May"].delete_rows(1, 2)
    workbook["May"].append([None, " "])
    workbook.save(path)
    assert read(path) == [["id"], ["June & July"]], "an empty sheet is passed over"
    workbook["June & July"].delete_rows(1, 2)
    workbook.save(path)
    code, words = refused(path)
    assert (code, "The sheet “May” is empty" in words) == ("empty", True)


TABLES: list[tuple[str, list[list[Any]], list[Any]]] = [
    ("titles above", [["Report of May"], [], ["by Anna"], ["id", "text"], [1, "x"]], [["id", "text"], [1, "x"]]),
    ("one column", [["id"], [1], [2]], [["id"], [1], [2]]),
    ("names that are numbers", [["id", 2024], [1, 5]], [["id", "2024"], [1, 5]]),
    ("a header of one name", [["id"], [1, 5]], [["id"], BadRow]),
    ("empty rows", [["id", "b"], [], [1, "x"], [None, "  "], [2, "y"]], [["id", "b"], [1, "x"], [2, "y"]]),
    ("names", [["id", None, "id", " b "], [1, 2, 3, 4]], [["id", "column 2", "id (2)", "b"], [1, 2, 3, 4]]),
    ("short rows", [["a", "b", "c"], [1], [None, None, 3]], [["a", "b", "c"], [1, None, None], [None, None, 3]]),
    ("a note beside", [["a", "b"], [1, 2], [1, 2, None, "?"]], [["a", "b"], [1, 2], BadRow]),
    (
        "titles of two cells",
        [["X"], ["Date", "May"], [], ["id", "b"], [1, "x"]],
        [["Date", "May"], ["id", "b"], [1, "x"]],
    ),
    (
        "the same, above a wider table",
        [["Date", "May"], [], ["id", "b", "c"], [1, "x"]],
        [["id", "b", "c"], [1, "x", None]],
    ),
    (
        "no titles",
        [["id", "b", "c"], [1, "x"], [], ["An", "y", "z"]],
        [["id", "b", "c"], [1, "x", None], ["An", "y", "z"]],
    ),
    ("not in the corner", [[], [None, "a", "b"], [None, 1, 2]], [["column 1", "a", "b"], [None, 1, 2]]),
]


@pytest.mark.parametrize(("rows", "expected"), [case[1:] for case in TABLES], ids=[case[0] for case in TABLES])
def test_the_table_is_found_in_the_sheet(tmp_path: Path, rows: list[list[Any]], expected: list[Any]) -> None:
    workbook = openpyxl.Workbook()
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            workbook.active.cell(number, column, value)
    workbook.save(path := tmp_path / "may.xlsx")
    found = [type(record) if isinstance(record, BadRow) else record for record in read(path)]
    assert found == expected


def test_the_operator_can_name_the_row_of_the_header(tmp_path: Path) -> None:
    path = hand_made(
        tmp_path / "may.xlsx", '<row r="3"><c r="A3"><v>5</v></c></row><row r="4"><c r="A4"><v>6</v></c></row>'
    )
    assert read(path, header_row=3) == [["5"], [6]]
    assert refused(path, header_row=2)[0] == "header"


def test_merged_cells_hidden_rows_formulas_and_errors(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(path := tmp_path / "may.xlsx") as workbook:
        data = workbook.add_worksheet()
        data.write_row(0, 0, ["group", "value"])
        data.merge_range(1, 0, 2, 0, "A")
        data.write_formula(1, 1, "=1+1", None, 2)
        data.write_formula(2, 1, '="x"&"y"', None, "xy")
        data.set_row(2, None, None, {"hidden": True})
        data.write_formula(3, 1, "=NA()", None, "#N/A")
        data.write_formula(4, 1, "=TRUE()", None, True)
    assert read(path)[1:] == [["A", 2], [None, "xy"], [None, "#N/A"], [None, True]]


def test_a_formula_without_its_result_fails_its_row(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for row in (["id", "sum"], [1, "=A2+1"], [2, 3]):
        workbook.active.append(row)
    workbook.save(path := tmp_path / "may.xlsx")
    [_, bad, good] = read(path)
    assert isinstance(bad, BadRow)
    assert bad.failure.message.startswith("Cell B2 has a formula, and its result is not in the file")
    assert good == [2, 3]


UNUSUAL = {
    "a prefix": ((f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="str"><x:v>id</x:v></x:c>'
                 '</x:row><x:row r="2"><x:c r="A2"><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>'), [["id"], [7]]),
    "no places": (sheet('<row><c t="str"><v>id</v></c></row><row/><row><c><v>7</v></c></row>'), [["id"], [7]]),
    "strict": (sheet(f'{HEADER}<row r="2"><c r="A2"><v>7</v></c></row>').replace(MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main"), [["id"], [7]]),
    "spaces": (sheet(f'{HEADER}\n  <row r="2" >\n <c r = "A2" t="n" >\n <v >7</v>\n </c>\n</row>\n'), [["id"], [7]]),
    "runs": (sheet(f'{HEADER}<row r="2"><c r="A2" t="inlineStr"><is><r><t>a</t></r><r><t xml:space="preserve"> b</t></r></is></c></row>'), [["id"], ["a b"]]),
    "CDATA": (sheet(f'{HEADER}<row r="2"><c r="A2" t="str"><v><![CDATA[<c r="B2">]]></v></c></row>'), [["id"], ['<c r="B2">']]),
    "ISO dates": (sheet(f'{HEADER}<row r="2"><c r="A2" t="d"><v>2026-05-01</v></c></row>'), [["id"], ["2026-05-01"]]),
    "no number": (sheet(f'{HEADER}<row r="2"><c r="A2"><v>NaN</v></c></row>'), [["id"], ["NaN"]]),
    "many digits": (sheet(f'{HEADER}<row r="2"><c r="A2"><v>{"9" * 5_000}</v></c></row>'), [["id"], ["9" * 5_000]]),
    "UTF-16": (sheet(f'{HEADER}<row r="2"><c r="A2"><v>7</v></c></row>').encode("utf-16"), [["id"], [7]]),
}  # fmt: skip


def test_what_other_programs_write_is_read_too(tmp_path: Path) -> None:
    faults = []
    for number, (kind, (xml, expected)) in enumerate(UNUSUAL.items()):
        path = hand_made(tmp_path / f"{number}.xlsx", parts={"xl/worksheets/sheet1.xml": xml})
        try:
            found = read(path)
        except FileRefused as refusal:
            found = [str(refusal)]
        if found != expected:
            faults.append(f"{kind}: {found}")
    assert not faults, "\n".join(faults)


def test_dates_from_1904_and_shared_texts_with_readings(tmp_path: Path) -> None:
    styles = '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
    texts = '<sst><si><t>日本</t><rPh sb="0" eb="2"><t>ニホン</t></rPh></si><si><r><t>a</t></r><r><t>b</t></r></si><si/></sst>'
    book = PARTS["xl/workbook.xml"].replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    rows = "".join(f'<row r="{n}"><c r="A{n}" {cell}</c></row>' for n, cell in enumerate(
        ('s="1"><v>44681</v>', 't="s"><v>0</v>', 't="s"><v>1</v>'), start=2))  # fmt: skip
    parts = {"xl/workbook.xml": book, "xl/styles.xml": styles, "xl/sharedStrings.xml": texts}
    assert read(hand_made(tmp_path / "may.xlsx", rows, parts)) == [["id"], ["2026-05-01"], ["日本"], ["ab"]]


def test_texts_beyond_the_memory_are_in_a_file(tmp_path: Path) -> None:
    written = [f"Đẹp {number}" for number in range(100)] + ["", "x" * 10_000, "\ud800"]
    with Texts(tmp_path, room=1_000) as texts:
        texts.extend(written)
        assert list(texts.quick()) == written
        assert len(texts) == len(written)
        assert not list(tmp_path.iterdir())
        with pytest.raises(IndexError):
            texts.quick()[len(written)]


def test_rows_of_many_shapes_are_those_that_another_program_reads(tmp_path: Path) -> None:
    chance = random.Random(7)
    book = xlsxwriter.Workbook(tmp_path / "x.xlsx")
    data, day, zeros = (
        book.add_worksheet(),
        book.add_format({"num_format": "yyyy-mm-dd"}),
        book.add_format({"num_format": "0000"}),
    )
    data.write_row(0, 0, list("abcdef"))
    expected = []
    for number in range(1, 400):
        row: list[Any] = [None] * 6
        for column in range(6):
            form = 0 if chance.random() < 0.8 else chance.randrange(7)
            row[column] = [
                column * 1.5,
                f"text {number} & <{column}>",
                number % 2 == 0,
                "2026-05-01",
                "0042",
                None,
                None,
            ][form]
            if form == 3:
                data.write_datetime(number, column, moment(2026, 5, 1), day)
            elif form == 4:
                data.write_number(number, column, 42, zeros)
            elif form == 5:
                data.write_blank(number, column, None, day)
            elif form < 3:
                data.write(number, column, row[column])
        row = [int(cell) if type(cell) is float and cell.is_integer() else cell for cell in row]
        expected += [row] if any(cell is not None for cell in row) else []
    book.close()
    assert read(tmp_path / "x.xlsx")[1:] == expected


def test_a_row_out_of_shape_among_others_is_read_by_its_cells(tmp_path: Path) -> None:
    usual = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>t{0}</t></is></c><c r="C{0}"><v>{0}</v></c></row>'
    odd = [
        '<row r="10" spans="1:3"><c r="A10"><f>1+1</f><v>2</v></c><c r="C10"/></row>',
        '<row r="11"><c r="C11"><f>1+1</f></c></row>',
        '<row r="12"><c r="A12" t="str"><v>a&amp;b</v></c><c r="B12" s="9"/><c r="C12" t="b"><v>1</v></c></row>',
        '<row r="13"><!-- <c r="A13"><v>9</v></c> --><c r="A13"><v>1</v></c></row>',
    ]
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="inlineStr"><is><t>b</t></is></c>'
    header += '<c r="C1" t="inlineStr"><is><t>c</t></is></c></row>'
    rows = "".join([*map(usual.format, range(2, 10)), *odd[:3], *map(usual.format, range(20, 25))])
    for text, last in ((rows, []), (rows + odd[3], [[1, None, None]])):
        path = hand_made(tmp_path / "x.xlsx", parts={"xl/worksheets/sheet1.xml": sheet(header + text)})
        records = read(path)[1:]
        plain = [[f"t{n}", None, n] for n in range(2, 10)]
        assert records[:9] == [*plain, [2, None, None]]
        assert isinstance(records[9], BadRow)
        assert "C11" in records[9].failure.message
        assert records[10:] == [["a&b", None, True], *([f"t{n}", None, n] for n in range(20, 25)), *last]
