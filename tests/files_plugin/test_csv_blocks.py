"""Blocks of lines are read together, to the same rows as one by one."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchd import FileRefused, Source
from batchd_files.delimited.blocks import cells_of
from batchd_files.delimited.csv_reader import CsvReader, CsvSettings
from batchd_files.delimited.forms import Form
from batchd_files.delimited.records import Records
from batchd_files.delimited.rows import Rows

csv.field_size_limit(10_500_000)


class OneByOne(Records):
    """Records that are never read together."""

    def block(self) -> str | None:
        return None


def read(kind: type[Records], text: str, form: Form, block: int, *, declared: bool = False) -> tuple[Any, ...]:
    """What comes of the text: rows and remarks, or a refusal."""
    file = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")
    records = kind(file, form, max_cell=30_000, compose=False, block=block)
    rows = Rows(records, form, [], declared=declared)
    try:
        names = rows.header().names
        found = [row for block_of in rows.blocks() for row in block_of]
    except FileRefused as refusal:
        return refusal.code, str(refusal)
    return names, found, rows.remarks(), records.line


CELLS = [
    "a",
    "1",
    "2",
    "",
    " ",
    "é",
    "ấ”",
    '"',
    '""',
    '"a"',
    '"a\n3,4"',
    '"x\r\ny"',
    "\n",
    "a\rb",
    "\0",
    "\ufeff",
    "sep=",
    "id",
    'say "hi"',
]
LINE = st.lists(st.sampled_from(CELLS), min_size=1, max_size=4).map(",".join)
COUNTED = st.integers(1, 6).map(lambda number: f'{number},"text {number}')
USUAL = st.integers(1, 20).map(lambda number: f"{number},text")
TEXT = st.lists(st.tuples(USUAL | LINE | COUNTED, st.sampled_from(["\n", "\n", "\r\n", "\r", ""])), max_size=20).map(
    lambda lines: "".join(line + end for line, end in lines)
)
FORMS = [Form(","), Form(",", "'"), Form(",", ""), Form(";"), Form(",", escape="\\"), Form(",", skip_spaces=True)]


@pytest.mark.slow
@given(TEXT, st.sampled_from(FORMS), st.integers(1, 60), st.booleans())
@settings(deadline=None, max_examples=150)
def test_the_rows_are_those_that_are_read_one_by_one(text: str, form: Form, block: int, declared: bool) -> None:
    text = f"id,text\n{text}"
    assert read(Records, text, form, block, declared=declared) == read(OneByOne, text, form, block, declared=declared)


@pytest.mark.slow
@given(
    st.lists(st.lists(st.text(st.sampled_from('ab," \n\ré'), max_size=5), min_size=2, max_size=2), max_size=9),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
@settings(deadline=None, max_examples=200)
def test_what_is_read_together_is_what_csv_reads(table: list[list[str]], quoting: Any) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=quoting).writerows(table)
    text = written.getvalue()
    found = cells_of(text, Form(","), 2) if text else None
    if found is not None:
        assert found == (list(csv.reader(io.StringIO(text, newline=""))), len(list(io.StringIO(text, newline=""))))


def test_usual_lines_are_read_together() -> None:
    lines = "".join(f'{number},"two\nlines of {number}",plain\r\n{number},a,b\r\n' for number in range(50))
    assert cells_of(lines, Form(","), 3) is not None


@pytest.mark.parametrize("long", ["x" * 60_000, "x," * 17_000])
def test_a_line_that_is_too_long_is_refused_in_both_ways(long: str) -> None:
    text = "id,text\n" + "1,a\n" * 30 + f"2,{long}\n" + "3,c\n" * 30
    together, single = (read(kind, text, Form(","), 64) for kind in (Records, OneByOne))
    assert together == single
    assert together[0] in {"too_long", "columns"}


@pytest.mark.slow
def test_many_rows_are_those_of_one_after_the_other(tmp_path: Any) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + "".join(f"{number},text {number}\n" for number in range(20_000)), "utf-8")
    [names], *blocks = CsvReader(CsvSettings()).read_many(Source(path, "a.csv"))
    assert [names, *(row for block in blocks for row in block)] == list(
        CsvReader(CsvSettings()).read(Source(path, "a.csv"))
    )
    assert max(map(len, blocks)) < 10_000, "memory holds a block"
