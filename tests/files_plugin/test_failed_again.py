"""failed.csv dropped again as it is: the same rows, whatever the settings of the reader and the form of the file."""

from __future__ import annotations

import asyncio
import codecs
import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from files_support import PATIENT, MemoryOutbox, Rows, failed, job
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from batchd import BadRow, Dialect, FileRefused, Json, Source
from batchd_files.delimited.csv_reader import CsvReader, CsvSettings
from batchd_files.delimited.csv_sink import CsvSink, CsvSinkSettings

pytestmark = pytest.mark.field("dropped again")


@dataclass(frozen=True)
class Form:
    """The settings of a route's reader, and a file's encoding that they read."""

    setting: str
    written: str
    mark: bytes = b""


FORMS = [
    Form("auto", "utf-8"),
    Form("auto", "utf-8", codecs.BOM_UTF8),
    Form("auto", "utf-16-le", codecs.BOM_UTF16_LE),
    Form("auto", "utf-16-be", codecs.BOM_UTF16_BE),
    Form("auto", "utf-32-le", codecs.BOM_UTF32_LE),
    *(
        Form(each, each)
        for each in (
            "cp1252", "cp1250", "cp1251", "cp1258", "cp874", "cp932", "cp949", "big5", "gb18030", "koi8-r", "euc-jp",
            "iso-2022-jp", "mac-roman", "latin-1", "ascii", "utf-7", "cp037", "utf-8", "utf-16-le", "utf-16-be",
        )
    ),
    Form("utf-16", "utf-16-le"),
    Form("utf-8-sig", "utf-8"),
    # A mark is always right, whatever the route says.
    Form("cp1252", "utf-8", codecs.BOM_UTF8),
    Form("cp1258", "utf-16-le", codecs.BOM_UTF16_LE),
]  # fmt: skip
ODD = [
    '"',
    "'",
    ",",
    ";",
    "\t",
    "|",
    "^",
    "\n",
    "\r\n",
    "\ufeff",
    " ",
    "",
    "sep=;",
    "=1",
    "a;b",
    "x|y,z",
    "PAR1",
    "ï»¿",
    "ÿþ",
]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
CELLS = TEXT | st.sampled_from([*ODD, "tốt, rẻ", "Đẹp lắm", "für", "日本", "ก"])
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=2, max_size=6)


def write(
    path: Path, rows: Sequence[Sequence[str]], form: Form, delimiter: str, line_end: str, *, declared: bool
) -> None:
    """A file as any other program writes it."""
    text = io.StringIO(newline="")
    text.write(f"sep={delimiter}{line_end}" if declared else "")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    path.write_bytes(form.mark + text.getvalue().encode(form.written))


def kept(text: str, encoding: str) -> str:
    """What the encoding can express of the text."""

    def same(letter: str) -> bool:
        try:
            return letter.encode(encoding).decode(encoding) == letter
        except UnicodeError:
            return False

    return "".join(filter(same, text))


def cells_of(records: Sequence[object]) -> list[list[Json]]:
    return [list(each.values if isinstance(each, BadRow) else each) for each in records]  # type: ignore[call-overload]


def failed_csv(columns: Sequence[str], records: Sequence[object], dialect: Dialect | None, **options: Json) -> bytes:
    """The file of failed rows, all rows being failed."""
    reasons = [each.failure if isinstance(each, BadRow) else None for each in records]
    all_failed = [failed(n, cells, reasons[n], original=cells) for n, cells in enumerate(cells_of(records))]
    rows = Rows(columns, ["answer"], all_failed)
    rows.dialect = dialect
    outbox = MemoryOutbox()
    asyncio.run(CsvSink(CsvSinkSettings(**options)).publish(job(outbox), rows))
    return outbox.files[".failed.csv"]


@pytest.mark.slow
@settings(PATIENT)
@given(
    TABLES,
    st.sampled_from(FORMS),
    st.sampled_from([",", ";", "\t", "|", "^", "x", " ", "'"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
)
@example([["PAR1", "b"], ["x", "y"]], FORMS[0], ";", "\n", False, True)
@example([["sep=;", "b"], ["x", "y"]], FORMS[0], ";", "\n", False, True)
@example([['a"b', "c;d"], ["x", "y"]], FORMS[0], ",", "\r\n", True, False)
@example([["ï»¿id", "b"], ["x", "y"]], FORMS[5], ",", "\r\n", False, False)
@example([["đánh giá", "ậ"], ["tốt", "rẻ"]], FORMS[8], ";", "\r\n", False, False)
def test_for_every_reader_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    table: list[list[str]],
    form: Form,
    delimiter: str,
    line_end: str,
    auto: bool,  # one of the things that vary
    declared: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"may-{os.getpid()}.csv"
    table = [[kept(cell, form.written) for cell in row] for row in table]
    assume(not declared or delimiter in ",;\t|^")
    assume(kept(delimiter, form.written) == delimiter)
    write(path, table, form, delimiter, line_end, declared=declared)
    reader = CsvReader(CsvSettings(encoding=form.setting, delimiter="auto" if auto else delimiter))
    try:
        columns, *records = reader.read(Source(path, "may.csv"))
    except FileRefused:
        assume(False)
    assert isinstance(columns, list)
    path.write_bytes(failed_csv(columns, records, reader.dialect(), delimiter=";"))
    again, *rows = reader.read(Source(path, "may.failed.csv"))
    assert (again, cells_of(rows)) == (columns, cells_of(records))
    assert [isinstance(each, BadRow) for each in rows] == [isinstance(each, BadRow) for each in records]


@pytest.mark.parametrize("encoding", ["cp1252", "cp1258", "cp932"])
def test_the_form_of_the_file_is_kept_byte_for_byte(tmp_path: Path, encoding: str) -> None:
    cell = {"cp1252": "für “Anna”", "cp1258": "tô\u0301t", "cp932": "日本"}[encoding]
    content = f'id;review\r\n1;{cell}\r\n2;"a;""b"""\r\n'.encode(encoding)
    (tmp_path / "may.csv").write_bytes(content)
    reader = CsvReader(CsvSettings(encoding=encoding, delimiter=";"))
    columns, *records = reader.read(Source(tmp_path / "may.csv", "may.csv"))
    assert isinstance(columns, list)
    assert reader.dialect() == Dialect(encoding=encoding, delimiter=";", line_end="\r\n")
    assert failed_csv(columns, records, reader.dialect()) == content


def test_a_dialect_with_an_escape_is_written_with_it() -> None:
    dialect = Dialect(quote="'", escape="\\", delimiter=";")
    assert failed_csv(["id"], [["it's;a \\"]], dialect) == b"id\n'it\\'s;a \\\\'\n"


def test_where_no_reader_tells_the_settings_of_the_sink_hold() -> None:
    assert failed_csv(["id", "b"], [["ü", "1"]], None, delimiter=";", bom=True) == "\ufeffid;b\nü;1\n".encode()
