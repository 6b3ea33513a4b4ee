"""Many rows written at once are the lines that are written row by row."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from batchd import Dialect
from batchd_files.delimited.cells import Table

CELLS = st.text(st.sampled_from("a1 ,;\t|\"'\\\r\n\0é\ufeff"), max_size=3) | st.sampled_from(
    [None, 7, True, 1.5, ["a"], "", "x" * 40]
)
DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from(["minimal", "minimal", "all", "text"]),
    quote=st.sampled_from(['"', '"', "'", ""]),
    escape=st.sampled_from([None, None, "\\"]),
)


@given(
    st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["ok", "a, b", 'say "it"', "two\nlines"])), max_size=9), DIALECTS
)
@example([("a", 'a "quoted", one', "two\nlines")] * 3 + [("a;b", "", "ok")], Dialect())
@example([("a", "b", each) for each in ("plain", 'say "it"')], Dialect())
@example([("a", "b", each) for each in ("plain", "a, b")], Dialect())
@example([("a", "b", each) for each in ("plain", "two\nlines")], Dialect())
@example([("a", "b", each) for each in ("plain", "two\rlines")], Dialect(line_end="\r\n"))
def test_both_ways_write_the_same(rows: list[tuple[object, ...]], dialect: Dialect) -> None:
    table = Table(dialect)
    assert table.lines(rows) == "".join(map(table.line, rows))
