"""What answers are like is the same whether they are counted column by column or one by one."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine
from batchd.work.collecting.summary import MAX_VALUES, summarize

VALUES = (
    st.sampled_from(["good", "bad", "", " ", "x" * 90, "x" * 91])
    | st.text(max_size=2)
    | st.sampled_from([None, True, 3, 2.5, float("inf"), ["a", "b"], [], {"a": 1}])
)


@given(st.lists(st.tuples(VALUES, st.sampled_from(["good", "bad", "\u2028", "x" * 90])), max_size=20))
@example([(f"{number}", "good") for number in range(MAX_VALUES + 3)])
@example([("good" if number % 3 else "", f"{number % 7}") for number in range(2_100)])
def test_both_ways_count_the_same(answers: list[tuple[Any, str]]) -> None:
    lines = [ResultLine(row, True, list(answer)) for row, answer in enumerate(answers)]
    together = summarize(lines, 2)
    # An answer without any value counts for nothing, and keeps those around it from being counted together.
    apart = []
    rest = iter(lines)
    while some := list(islice(rest, 900)):
        apart += [*some, *([ResultLine(0, True, [])] * (1_000 - len(some)))]
    assert msgspec.json.encode(together) == msgspec.json.encode(summarize(apart, 2))
