"""The kit itself: it keeps its own contract, and what it says is a sentence."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from batchd import ResultRow, RowStatus
from batchd.testing.conformance.memory import grows, homes_of
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


LIBRARY = "KEPT = []\n\n\ndef keep(number):\n    KEPT.append(b'%d' % number * 300)\n"
PLUGIN = """
from keeping_library import keep


class Frugal:
    def run(self, rows, looks):
        for number in range(rows):
            keep(number)
            looks.row(number)


class Hoarding:
    def run(self, rows, looks):
        kept = []
        for number in range(rows):
            kept.append(b"%d" % number * 300)
            looks.row(number)
"""


@pytest.mark.slow
def test_memory_is_that_of_the_plugin_and_not_of_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, name, text in (("library", "keeping_library", LIBRARY), ("plugin", "keeping_plugin", PLUGIN)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    plugin: Any = importlib.import_module("keeping_plugin")

    def told(kind: type[Any]) -> str | None:
        return grows(lambda rows, looks: kind().run(rows, looks), 400, 4_000, homes_of(kind, OfSink))

    assert told(plugin.Frugal) is None
    said = told(plugin.Hoarding)
    assert said is not None
    assert "most of it comes from keeping_plugin.py, line 16" in said
