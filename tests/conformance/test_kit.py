"""The kit itself: it keeps its own contract, and what it says is a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from batchd import ResultRow, RowStatus
from batchd.testing.outbox import FakeRows

from . import good_plugins as good
from .samples import OfSink


def test_rows_of_the_kit_have_a_value_for_each_column() -> None:
    def rows(values: Sequence[str], answer: Sequence[str]) -> FakeRows:
        row = ResultRow(0, values, values, RowStatus.OK, answer, None, None, None)
        return FakeRows(["id"], ["answer"], lambda: iter([row]))

    assert [row.answer for row in rows(["1"], ["yes"])] == [["yes"]]
    for wrong in (rows(["1", "2"], ["yes"]), rows(["1"], ["yes", "no"])):
        with pytest.raises(ValueError, match="other values than its columns"):
            list(wrong)


def test_what_a_plugin_raises_unasked_is_a_sentence_with_its_place() -> None:
    class Sulking(good.Lines):
        async def check(self) -> Sequence[str]:
            raise KeyError("mood")

    class Doubting(good.Lines):
        async def check(self) -> Sequence[str]:
            assert self.settings is None
            return ()

    class OfNothing(OfSink):
        def make(self) -> Any:
            raise OSError("no key here")

    def said(**members: Any) -> str:
        with pytest.raises(AssertionError) as caught:
            type("Of", (members.pop("base", OfSink),), members)().test_a_check_says_what_is_wrong_in_sentences()
        return str(caught.value)

    assert said(plugin=Sulking).startswith("check() raised KeyError('mood') (test_kit.py, line ")
    assert said(plugin=Doubting).startswith("check() raised AssertionError(")
    assert said(base=OfNothing).startswith("make() raised OSError('no key here') (test_kit.py, line ")
