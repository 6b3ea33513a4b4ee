"""A row that has what an earlier row has, in the column by which its owner tells the answers apart, fails alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.domain import rows
from batchd.domain.routing import PluginSpec
from batchd.model import BadRow
from batchd.work.reading.read import ReadDone, ReadTask, read

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)

PLUGINS = '''
from batchd import BadRow, Failure, PromptBuilder, Reader, hookimpl


class Cells(Reader):
    """Cells with a comma between them; "!" is a record that cannot be a row."""

    suffixes = (".cells",)

    def read(self, source):
        with source.open() as lines:
            yield next(lines).decode().rstrip("\\n").split(",")
            for line in lines:
                name, text = line.decode().rstrip("\\n").split(",")
                if name == "!":
                    yield BadRow([name, text], Failure("odd", "This record is odd."))
                else:
                    yield [int(name) if name.isdigit() else name, "half \\ud83d" if text == "half" else text]


class Apart(PromptBuilder):
    unique = "name"

    def build(self, row):
        return {}


class Alike(Apart):
    unique = None


@hookimpl
def register_readers(register):
    register("cells", Cells)


@hookimpl
def register_prompt_builders(register):
    register("apart", Apart)
    register("alike", Alike)
'''


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "cells.py").write_text(PLUGINS)
    return str(folder)


class Reading:
    """A file of names, read."""

    def __init__(self, folder: Path, plugins: str, names: list[str], **more: Any) -> None:
        self.folder = folder
        source = folder / "source"
        header = more.pop("header", "name,text")
        texts = more.pop("texts", [str(number) for number in range(len(names))])
        lines = [header, *(f"{name},{text}" for name, text in zip(names, texts, strict=True))]
        source.write_text("".join(f"{line}\n" for line in lines))
        recipe = PluginSpec(more.pop("builder", "apart"), plugin_dir=plugins)
        self.target = folder / "rows.jsonl"
        task = ReadTask(
            str(source),
            "may.cells",
            str(self.target),
            more.pop("part_rows", 3),
            PluginSpec("", plugin_dir=plugins),
            recipe,
        )
        self.done: ReadDone = read(task)
        self.records = [rows.decode(line) for line in self.target.read_bytes().splitlines()]

    def failures(self) -> dict[int, tuple[str, str]]:
        """Code and sentence of the rows that fail."""
        return {
            number: (record.failure.code, record.failure.message)
            for number, record in enumerate(self.records)
            if isinstance(record, BadRow)
        }


def test_the_second_of_a_name_fails_and_says_where_the_first_is(tmp_path: Path, plugins: str) -> None:
    reading = Reading(tmp_path, plugins, ["a", "b", "a", "c", "b", "a"])
    said = "name “{}” was used before, in row {} of this file. Write one that no other line has."
    assert reading.failures() == {
        2: ("duplicate", said.format("a", 1)),
        4: ("duplicate", said.format("b", 2)),
        5: ("duplicate", said.format("a", 1)),
    }
    # They go back as they came.
    assert [record.values if isinstance(record, BadRow) else record for record in reading.records] == [
        [name, str(number)] for number, name in enumerate("abacba")
    ]


def test_the_parts_are_those_of_what_was_written(tmp_path: Path, plugins: str) -> None:
    reading = Reading(tmp_path, plugins, ["a", "b", "a", "c", "b", "a", "d"])
    content = reading.target.read_bytes()
    assert [(first, count) for first, count, _, _ in reading.done.parts] == [(0, 3), (3, 3), (6, 1)]
    for first, count, offset, length in reading.done.parts:
        lines = content[offset : offset + length].splitlines()
        assert [rows.decode(line) for line in lines] == reading.records[first : first + count]
    assert sum(length for *_, length in reading.done.parts) == len(content)
    assert reading.done.rows == 7


def test_what_is_no_row_or_no_text_has_no_name(tmp_path: Path, plugins: str) -> None:
    reading = Reading(
        tmp_path, plugins, ["!", "!", "7", "7", "a", "a", "a"], texts=["x", "x", "x", "x", "half", "y", "z"]
    )
    assert {number: code for number, (code, _) in reading.failures().items()} == {
        0: "odd",
        1: "odd",
        4: "unreadable",
        6: "duplicate",
    }


@pytest.mark.parametrize("more", [{"builder": "alike"}, {"header": "called,text"}])
def test_where_nothing_must_differ_nothing_does(tmp_path: Path, plugins: str, more: dict[str, str]) -> None:
    assert Reading(tmp_path, plugins, ["a", "a"], **more).failures() == {}


def test_nothing_else_is_left_and_read_again_it_is_the_same(tmp_path: Path, plugins: str) -> None:
    (tmp_path / "rows.names").write_bytes(b"what a killed worker has left")
    first = Reading(tmp_path, plugins, ["a", "b", "a"])
    content = first.target.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "source"]
    again = Reading(tmp_path, plugins, ["a", "b", "a"])
    assert again.target.read_bytes() == content
    assert again.done.parts == first.done.parts


@PATIENT
@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "!", ""]), min_size=1, max_size=12), st.integers(1, 5))
def test_all_but_the_first_of_each_name_fail(
    tmp_path_factory: pytest.TempPathFactory, plugins: str, names: list[str], part_rows: int
) -> None:
    reading = Reading(tmp_path_factory.mktemp("read"), plugins, names, part_rows=part_rows)
    expected = {number for number, name in enumerate(names) if name != "!" and name in names[:number]}
    assert {number for number, (code, _) in reading.failures().items() if code == "duplicate"} == expected
    assert reading.done.rows == len(names)
