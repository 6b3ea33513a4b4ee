"""CSV files as people, programs and accidents write them: what is read of each, and that its rows come back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from files_support import bad, read, refused
from test_failed_again import cells_of, failed_csv

from batchd import BadRow, Json, Source
from batchd_files.delimited.csv_reader import CsvReader, CsvSettings

pytestmark = pytest.mark.field("files")

ID, TWO = ["id", "review"], [["1", "tốt, rẻ"], ["2", "ồn"]]
ROWS = "".join(f'{number},"dòng {number}"\n' for number in range(2, 20))
CLEAN = [[str(number), f"dòng {number}"] for number in range(2, 20)]
LONG = "".join(f"{number},dòng {number}\n" for number in range(2, 9_000))

# What it is: (the file, the columns, the rows; None stands for a row that fails).
FILES: dict[str, tuple[str, list[str], list[list[str] | None]]] = {
    # --- quotes
    "one stray quote": ('id,review\n1,"TV 55" Đẹp"\n' + ROWS, ID, [None, *CLEAN]),
    "a stray quote in the last row": ("id,review\n" + ROWS + '1,"TV 55" Đẹp"', ID, [*CLEAN, None]),
    "a quote that is never closed": ('id,review\n1,"TV 55\n' + ROWS, ID, [None, *CLEAN]),
    "never closed, no other quotes": ('id,review\n1,"TV 55\n2,a\n3,b\n', ID, [None, ["2", "a"], ["3", "b"]]),
    "never closed, far from the end": (f'id,review\n1,"TV\n{LONG}', ID, [None, *[[str(n), f"dòng {n}"] for n in range(2, 9_000)]]),
    "two that are never closed": ('id,review\n1,"a\n2,b\n3,c\n4,"d\n5,e\n', ID, [None, ["2", "b"], ["3", "c"], None, ["5", "e"]]),
    "closed by chance some rows later": ('id,review\n1,"a\n2,b\n3,TV 55"\n4,d\n', ID, [None, ["2", "b"], ["3", 'TV 55"'], ["4", "d"]]),
    "stray in a cell of several lines": ('id,review\n1,"one\ntwo "x" three\nfour"\n2,b\n', ID, [None, ["2", "b"]]),
    "stray on the first line of several": ('id,review\n1,"say "hi"\ntwo\nfour"\n2,b\n', ID, [None, ["2", "b"]]),
    "lines in a cell": ('id,review\n1,"one\n\n2 lines, three"\n2,b\n', ID, [["1", "one\n\n2 lines, three"], ["2", "b"]]),
    "a quote inside a cell": ('id,review\n1,TV 55" x\n2,b\n', ID, [["1", 'TV 55" x'], ["2", "b"]]),
    "backslash before quotes": ('id,review\n1,"nói \\"tốt\\" lắm, mua lại"\n2,"ồn"\n', ID, [["1", 'nói "tốt" lắm, mua lại'], ["2", "ồn"]]),
    "backslash before a comma": ("id,review\n1,tốt\\, rẻ\n2,ồn\n", ID, TWO),
    "backslash, and paths": ('id,review\n1,"C:\\new \\"x\\""\n2,"a\\\\b"\n', ID, [["1", 'C:\\new "x"'], ["2", "a\\b"]]),
    "a backslash is text": ('id,review\n1,"C:\\new\\"\n2,b\\\n', ID, [["1", "C:\\new\\"], ["2", "b\\"]]),
    "both ways of writing a quote": ('id,review\n1,"a \\"b\\" c"\n2,"a ""b"" c"\n', ID, [["1", 'a "b" c'], ["2", 'a "b" c']]),
    "single quotes": ("id,review\n1,'tốt, rẻ'\n2,'ồn'\n", ID, TWO),
    "single quotes, no commas": ("'id','review'\n'1','it''s'\n'2','ồn'\n", ID, [["1", "it's"], ["2", "ồn"]]),
    "single quotes, backslash": ("id,review\n1,'it\\'s good, ok'\n2,'ồn'\n", ID, [["1", "it's good, ok"], ["2", "ồn"]]),
    "apostrophes": ("id,review\n1,'tis good'\n2,don't\n", ID, [["1", "'tis good'"], ["2", "don't"]]),
    "spaces before quotes": ('id, review\n1, "tốt, rẻ"\n2, "ồn"\n', ID, TWO),
    "spaces before quotes, no commas": ('id; review\n1; "tốt, rẻ"\n2; "ồn"\n', ID, TWO),
    "spaces alone": ("id, review\n1, tốt\n2, ồn\n", ID, [["1", " tốt"], ["2", " ồn"]]),
    # --- delimiters and line ends
    "^": ("id^review\n1^tốt, rẻ\n2^ồn\n", ID, TWO),
    "~": ("id~review\n1~tốt, rẻ\n2~ồn\n", ID, TWO),
    "colon": ("id:review\n1:tốt, rẻ\n2:ồn\n", ID, TWO),
    "colons in texts": ("review\nNote: bad\ngood\n", ["review"], [["Note: bad"], ["good"]]),
    "decimal commas": ("id;price\n1;1,50\n2;2,75\n", ["id", "price"], [["1", "1,50"], ["2", "2,75"]]),
    "tabs": ("id\treview\n1\ttốt, rẻ\n2\tồn\n", ID, TWO),
    "sep line": ('sep=;\r\nid;review\r\n1;"tốt, rẻ"\r\n2;ồn\r\n', ID, TWO),
    "mixed line ends": ("id,review\r\n1,a\n2,b\r3,c", ID, [["1", "a"], ["2", "b"], ["3", "c"]]),
    "line ends twice converted": ("id,review\r\r\n1,a\r\r\n2,b\r\r\n", ID, [["1", "a"], ["2", "b"]]),
    "NEL is text": ("id,review\n1,a\x85b\n", ID, [["1", "a\x85b"]]),
    "one column": ("review\ntốt, rẻ; ok\nồn\n", ["review"], [["tốt, rẻ; ok"], ["ồn"]]),
    # --- the header
    "two marks": ("\ufeff\ufeffreview,id\ntốt,1\n", ["review", "id"], [["tốt", "1"]]),
    "characters that nobody sees": ("review\u200b,\xa0i\xadd\u2060\ntốt,1\n", ["review", "id"], [["tốt", "1"]]),
    "duplicates": ("id,review,review,id\n1,a,b,2\n", ["id", "review", "review (2)", "id (2)"], [["1", "a", "b", "2"]]),
    "a duplicate whose name is in use": ("a,a,a (2)\n1,2,3\n", ["a", "a (3)", "a (2)"], [["1", "2", "3"]]),
    "no name": ("id,,review\n1,x,a\n", ["id", "column 2", "review"], [["1", "x", "a"]]),
    "numbers as names": ("2024,2025\n1,2\n", ["2024", "2025"], [["1", "2"]]),
    "delimiters at the end of rows": ("id,review\r\n1,tốt,\r\n2,kém,\r\n", ID, [["1", "tốt"], ["2", "kém"]]),
    "delimiters at the end of the header": ("id,review,\r\n1,tốt\r\n2,kém\r\n", ID, [["1", "tốt"], ["2", "kém"]]),
    "delimiters at the end of all": ("id,review,,,\n1,tốt,,,\n2,kém,,\n", ID, [["1", "tốt"], ["2", "kém"]]),
    "notes without a name": ("id,review,\n1,a,note\n2,b\n", [*ID, "column 3"], [["1", "a", "note"], ["2", "b", ""]]),
    "more cells than names": ("id,review\n1,tốt,x\n2,kém\n", ID, [None, ["2", "kém"]]),
    "fewer cells than names": ("id,review\n1\n2,kém\n", ID, [None, ["2", "kém"]]),
    "a title": ("Báo cáo tháng 5\nid,review,n\n1,a,3\n2,b,4\n", [*ID, "n"], [["1", "a", "3"], ["2", "b", "4"]]),
    "a title as wide as the table": ("Báo cáo,,\n,,\nid,review,n\n1,a,3\n2,b,4\n", [*ID, "n"], [["1", "a", "3"], ["2", "b", "4"]]),
    "titles with a blank line": ("Exported by,An\nDate,2026-05-01\n\nid,review,n\n1,a,3\n", [*ID, "n"], [["1", "a", "3"]]),
    "a title above two columns": ("Báo cáo\n\nid;review\n1;a\n2;b\n", ID, [["1", "a"], ["2", "b"]]),
    "no title": ("name,review\nAn,good\n\nBinh,bad\n", ["name", "review"], [["An", "good"], ["Binh", "bad"]]),
    "a footer": ("id,n\n1,2\n2,3\nTotal,5\n", ["id", "n"], [["1", "2"], ["2", "3"], ["Total", "5"]]),
    # --- rows that are none
    "empty rows": ('id,review\r\n1,tốt\r\n,\r\n"",""\r\n , \r\n\xa0,\r\n\r\n2,kém\r\n,\r\n', ID, [["1", "tốt"], ["2", "kém"]]),
    "files joined": ("id,review\n1,a\nid,review\n2,b\n\ufeffid,review\n3,c\n", ID, [["1", "a"], ["2", "b"], ["3", "c"]]),
    "files joined, with sep": ("sep=;\nid;review\n1;a\nsep=;\nid;review\n2;b\n", ID, [["1", "a"], ["2", "b"]]),
    "a ruler of SQL Server": ("id,review\r\n--,------\r\n1,a\r\n2,--\r\n", ID, [["1", "a"], ["2", "--"]]),
    "a ruler of psql": (" id | review \n----+--------\n  1 | a\n  2 | b\n", ID, [["  1 ", " a"], ["  2 ", " b"]]),
    "a ruler of Markdown": ("|id|review|\n|---:|:---|\n|1|a|\n|2|b|\n", ["column 1", *ID], [["", "1", "a"], ["", "2", "b"]]),
    "no ruler": ("id,review\n1,a\n--,--\n", ID, [["1", "a"], ["--", "--"]]),
    "Ctrl-Z": ("id,review\r\n1,tốt\r\n\x1a", ID, [["1", "tốt"]]),
    "Ctrl-Z on the last line": ("id,review\r\n1,tốt\x1a\x1a", ID, [["1", "tốt"]]),
    "NULs at the end": ("id,review\n1,tốt\n" + "\0" * 100_000, ID, [["1", "tốt"]]),
    "a NUL inside": ("id,review\n1,t\0ốt\n2,kém\n", ID, [None, ["2", "kém"]]),
}  # fmt: skip


UNCLOSED = (
    'A quote (") is opened on line {} and never closed{}. Close it, or write it twice ("") if it belongs to the text. '
    "Correct it, and drop the row again."
)


def reader(**settings: Any) -> CsvReader:
    return CsvReader(CsvSettings(**settings))


def seen(records: list[Any]) -> list[Any]:
    return [None if isinstance(record, BadRow) else list(record) for record in records]


@pytest.mark.slow
def test_each_is_read_and_its_rows_come_back_the_same(tmp_path: Path) -> None:
    faults = []
    for what, (text, columns, rows) in FILES.items():
        one, path = reader(), tmp_path / "may.csv"
        path.write_bytes(text.encode())
        try:
            found, records = read(one, path)
        except Exception as error:  # the table of faults names it
            faults.append(f"{what}: {error!r}")
            continue
        if (found, seen(records)) != (columns, rows):
            faults.append(f"{what}: {found} {seen(records)[:8]}")
            continue
        again = tmp_path / "may.failed.csv"
        again.write_bytes(failed_csv(found, records, one.dialect()))
        second, returned = read(reader(), again)
        if (second, cells_of(returned), seen(returned)) != (found, cells_of(records), seen(records)):
            faults.append(f"{what}: dropped again it is {second} {cells_of(returned)[:8]}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_so_are_they_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    faults = []
    for what, (text, columns, rows) in FILES.items():
        if text[0] == "\ufeff" or "\0" in text or len(text) > 20_000:
            continue
        path = tmp_path / "may.csv"
        path.write_bytes(text.encode(encoding))
        found, records = read(reader(encoding=encoding), path)
        if (found, seen(records)) != (columns, rows):
            faults.append(f"{what}: {found} {seen(records)[:8]}")
    assert not faults, "\n".join(faults)


def test_it_is_said_in_the_report(tmp_path: Path) -> None:
    def said(text: str) -> dict[str, Json]:
        one = reader()
        (tmp_path / "may.csv").write_bytes(text.encode())
        read(one, tmp_path / "may.csv")
        return {key: value for key, value in one.describe().items() if key not in {"encoding", "delimiter"}}

    assert said(FILES["one stray quote"][0]) == {}
    assert said(FILES["single quotes, backslash"][0]) == {"quote": "'", "escape": "\\"}
    assert said(FILES["spaces before quotes"][0]) == {"skip_spaces": True}
    assert said(FILES["duplicates"][0]) == {"named": ["review (2)", "id (2)"]}
    assert said(FILES["no name"][0]) == {"named": ["column 2"]}
    assert said(FILES["files joined"][0]) == {"repeated_headers": 2}
    assert said(FILES["empty rows"][0]) == {"blank_rows": 5}
    assert said(FILES["titles with a blank line"][0]) == {"header_row": 4}


SETTINGS: dict[str, tuple[dict[str, Any], str, list[str], list[list[str] | None]]] = {
    "quote": ({"quote": "'"}, "id,review\n1,'a, b'\n2,\"c\n", ID, [["1", "a, b"], ["2", '"c']]),
    "an odd quote": ({"quote": "|"}, "id,review\n1,|a, ||b|\n2,\"c\n", ID, [["1", "a, |b"], ["2", '"c']]),
    "no quotes": ({"quote": "none", "delimiter": "\t"}, 'id\treview\n1\t"a" b\n2\t"c\n', ID, [["1", '"a" b'], ["2", '"c']]),
    "escape": ({"escape": "\\"}, 'id,review\n1,"a \\" b"\n2,c\\\\d\n', ID, [["1", 'a " b'], ["2", "c\\d"]]),
    "no escape": ({"escape": "none"}, 'id,review\n1,a\\, b\n2,"c"\n', ID, [None, ["2", "c"]]),
    "skip_spaces": ({"skip_spaces": True}, 'id, review\n1,  a\n2, "  b"\n', ID, [["1", "a"], ["2", "  b"]]),
    "spaces kept": ({"skip_spaces": False}, 'id,review\n1, "a"\n2, "b"\n', ID, [["1", ' "a"'], ["2", ' "b"']]),
    "header_row": ({"header_row": 3}, "a,b\n1,2\nid,review\n1,a\n", ID, [["1", "a"]]),
    "header_row, with sep": ({"header_row": 3}, "sep=;\nx\nid;review\n1;a\n", ID, [["1", "a"]]),
    "the first line is no title": ({"header_row": 1}, "x\nid,review,n\n1,a,3\n", ["x"], [None, None]),
}  # fmt: skip


def test_the_settings_of_a_route(tmp_path: Path) -> None:
    faults = []
    for what, (settings, text, columns, rows) in SETTINGS.items():
        one, path = reader(**settings), tmp_path / "may.csv"
        path.write_bytes(text.encode())
        found, records = read(one, path)
        path.write_bytes(failed_csv(found, records, one.dialect()))
        again, returned = read(one, path)
        if (found, seen(records)) != (columns, rows):
            faults.append(f"{what}: {found} {seen(records)}")
        elif (again, cells_of(returned), seen(returned)) != (found, cells_of(records), seen(records)):
            faults.append(f"{what}: dropped again it is {again} {cells_of(returned)}")
    assert not faults, "\n".join(faults)


def test_what_fails_says_why_and_comes_back_as_it_stood(tmp_path: Path) -> None:
    path, one = tmp_path / "may.csv", reader()
    lines = ['1,"TV 55" Đẹp"', '2,"one', 'two "x" three', 'four"', '5,"open']
    path.write_bytes("\n".join(["id,review", *lines, "6,x"]).encode())
    columns, records = read(one, path)
    twice = (
        'A quote that belongs to the text is written twice (""), with quotes around the whole cell. Correct it, and drop '
        "the row again."
    )
    more = 'a quote (") ends a cell, but more text follows before the next comma.'
    assert [record.failure.message for record in bad(records)] == [
        f"On line 2 {more} {twice}",
        f"On line 4 {more} The cell begins on line 3; the quote there may be wrong. {twice}",
        UNCLOSED.format(6, ""),
    ]
    text = failed_csv(columns, bad(records), one.dialect()).decode()
    assert text.splitlines() == ["id,review", *lines]


def test_a_cell_without_end_fails_alone(tmp_path: Path) -> None:
    class Small(CsvReader):
        max_cell = 100_000

    path = tmp_path / "may.csv"
    path.write_text('a,b\n1,x\n2,"' + "3,long\n" * 30_000)
    _, records = read(Small(CsvSettings()), path)
    assert records[0] == ["1", "x"]
    assert [each.failure.message for each in bad(records)] == [UNCLOSED.format(3, " within 10 million characters")]
    assert len(records) == 30_001
    path.write_text(f"a,b\n1,{'x' * 150_000}\n2,y\n")
    _, records = read(Small(CsvSettings()), path)
    assert [each.failure.message[:50] for each in bad(records)] == [
        "A cell on line 2 has more than 10 million characte"
    ]
    assert records[1] == ["2", "y"]


def test_big_ones(tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    cell = "x" * (10 * 1024 * 1024)
    path.write_text(f"id,review\n1,{cell}\n")
    assert read(reader(), path)[1] == [["1", cell]]
    names = [f"c{n}" for n in range(5_000)]
    path.write_text(",".join(names) + "\n" + ",".join(["x"] * 5_000) + "\n")
    assert read(reader(), path) == (names, [["x"] * 5_000])
    path.write_text("id,review" + "," * 20_000 + "\n1,a" + "," * 20_000 + "\n")
    assert read(reader(), path) == (ID, [["1", "a"]])


def test_names_of_rows_without_one_in_the_header_are_refused(tmp_path: Path) -> None:
    """As R writes them: that the columns are shifted cannot be told from cells without quotes."""
    (path := tmp_path / "may.tsv").write_text("id\treview\n" + "".join(f"{n}\t1{n}\tgood\n" for n in range(1, 9)))
    refusal = refused(reader(), path)
    assert "write a name for that column in front of the header" in str(refusal)
    (path := tmp_path / "may.csv").write_text("id,review\n1,good, cheap\n2,bad\n3,so, so\n4,no, no\n")
    assert seen(read(reader(), path)[1]) == [None, ["2", "bad"], None, None]


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "may.tab"
    path.write_text("id\treview\n\t\n")
    assert refused(reader(), path).code == "no_rows"


def test_a_file_of_results_is_read_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"
    path.write_text('id,review\n1,"a ""b"" \\"\n')
    one = reader(delimiter="|", quote="'", escape="\\", header_row=4)
    assert list(one.read(Source(path, path.name))) == [["id", "review"], ["1", 'a "b" \\']]
