"""rows.jsonl: what goes in comes out; parts cover it without gap or overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.domain.rows import cut, decode, encode, fitted
from batchd.model import BadRow, Failure

CELLS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
ROWS = st.lists(CELLS, max_size=6)


@given(ROWS)
def test_a_row_comes_out_as_it_went_in(values: list[object]) -> None:
    line = encode(values)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == values
    assert encode(decode(line)) == line


@given(ROWS, st.text(max_size=8), st.text(max_size=8))
def test_a_bad_row_comes_out_as_it_went_in(values: list[object], code: str, message: str) -> None:
    record = BadRow(values, Failure(code, message))
    assert decode(encode(record)) == record


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\u2028", "\u2029", "\x85", "\x0b\x0c", "\x00", "\ufeff"])
def test_nothing_in_a_cell_ends_the_line(text: str) -> None:
    assert encode([text, text]).count(b"\n") == 1
    assert decode(encode([text])) == [text]


@given(ROWS, st.integers(0, 8))
def test_fitted_rows_are_exactly_as_wide_as_the_header(values: list[object], width: int) -> None:
    cells = fitted(values, width)
    assert len(cells) == width
    shared = min(width, len(values))
    assert list(cells[:shared]) == values[:shared]
    assert all(cell is None for cell in cells[shared:])


@given(st.lists(st.integers(1, 100), max_size=60), st.integers(1, 20))
def test_parts_cover_every_row_and_byte_once_in_order(sizes: list[int], part_rows: int) -> None:
    row = offset = 0
    parts = list(cut(sizes, part_rows))
    for first, rows, start, length in parts:
        assert (first, start) == (row, offset)
        assert length == sum(sizes[first : first + rows])
        assert 1 <= rows <= part_rows
        row, offset = first + rows, start + length
    assert (row, offset) == (len(sizes), sum(sizes))
    assert all(rows == part_rows for _, rows, _, _ in parts[:-1])


@pytest.mark.parametrize(
    ("lines", "part_rows", "among", "rows"),
    [
        (900, 10_000, 4, [900]),
        (1_500, 10_000, 4, [1_000, 500]),
        (10_000, 10_000, 2, [5_000, 5_000]),
        (10_001, 10_000, 2, [5_001, 5_000]),
        (19_999, 10_000, 2, [10_000, 9_999]),
        (25_000, 10_000, 2, [10_000, 10_000, 5_000]),
        (5_000, 100, 2, [100] * 50),
        (0, 10_000, 2, []),
    ],
)
def test_a_small_file_is_cut_for_every_worker_to_have_a_share(
    lines: int, part_rows: int, among: int, rows: list[int]
) -> None:
    assert [part[1] for part in cut([7] * lines, part_rows, among)] == rows
