"""A dropped file becomes rows.jsonl: every record a line, in order, and the file itself stays as it is."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import msgspec
import pytest

from batchd.domain import rows
from batchd.errors import FileRefused
from batchd.intake.plain_files import stamp_of
from batchd.model import BadRow, Failure
from batchd.values import replace
from batchd.work.reading.read import ReadDone, ReadTask, read

from .conftest import Desk

FIVE = "id,text\n1,one\n2,two\n3,three\n4,four\n5,five\n"


def task(provider: Desk, content: bytes | str = FIVE, **more: Any) -> ReadTask:
    """Read this file into rows.jsonl."""
    given: dict[str, Any] = {
        "source": provider.write("source", content),
        "name": "reviews/may.cells",
        "target": provider.path("rows.jsonl"),
        "part_rows": 2,
        "reader": provider.recipe(""),
        "builder": provider.recipe("ask"),
    }
    return ReadTask(**(given | more))


def test_every_record_is_a_line_and_parts_are_stretches_of_them(provider: Desk) -> None:
    done = read(task(provider))
    lines = provider.read("rows.jsonl")
    assert lines == b'["1","one"]\n["2","two"]\n["3","three"]\n["4","four"]\n["5","five"]\n'
    assert done == ReadDone(
        columns=["id", "text"],
        answer_columns=["answer"],
        rows=5,
        sha256=hashlib.sha256(FIVE.encode()).hexdigest(),
        description={"comma": ","},
        dialect=None,
        parts=[(0, 2, 0, 24), (2, 2, 24, 27), (4, 1, 51, 13)],
        stamp=stamp_of(provider.folder / "source"),
    )
    assert [lines[offset : offset + length].count(b"\n") for _, _, offset, length in done.parts] == [2, 2, 1]


def test_run_again_it_leaves_the_same_bytes_and_the_source_as_it_was(provider: Desk) -> None:
    first = read(task(provider))
    everything = provider.everything()
    assert replace(read(task(provider)), stamp=first.stamp) == first
    assert provider.everything() == everything
    assert everything["source"] == FIVE.encode()
    assert set(everything) == {"source", "rows.jsonl"}


def test_a_record_that_cannot_be_a_row_is_kept_with_its_reason(provider: Desk) -> None:
    done = read(task(provider, "id,text\n1,one\n!\n3,three\n"))
    records = [rows.decode(line) for line in provider.read("rows.jsonl").splitlines()]
    assert records == [["1", "one"], BadRow(["!"], Failure("odd", "This record is odd.")), ["3", "three"]]
    assert done.rows == 3


def test_what_json_cannot_say_fails_its_row_alone(provider: Desk) -> None:
    done = read(task(provider, "id,text\n1,one\n2,half\n3,three\n"))
    first, bad, last = [rows.decode(line) for line in provider.read("rows.jsonl").splitlines()]
    assert (first, last, done.rows) == (["1", "one"], ["3", "three"], 3)
    assert isinstance(bad, BadRow)
    assert bad.failure.code == "unreadable"
    assert list(bad.values) == ["2", "half \\ud83d"]


@pytest.mark.parametrize("text", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\x00", "\ufeff"])
def test_separators_inside_of_cells_end_no_line(provider: Desk, text: str) -> None:
    done = read(task(provider, f"id,text\n1,a{text}b\n2,c\n"))
    lines = provider.read("rows.jsonl").split(b"\n")
    assert [msgspec.json.decode(line) for line in lines[:-1]] == [["1", f"a{text}b"], ["2", "c"]]
    assert done.rows == 2


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        ("id,words\n1,one\n", "columns", "“text”"),
        ("id,text\n", "no_rows", "no rows below"),
        ("text,text\n1,2\n", "header", "“text”"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_in_words_and_leaves_no_rows(
    provider: Desk, content: str, code: str, told: str
) -> None:
    with pytest.raises(FileRefused, match=told) as caught:
        read(task(provider, content))
    assert caught.value.code == code
    assert not [name for name in provider.everything() if name.startswith(".")]


def test_an_unknown_suffix_is_refused_with_those_that_are_known(provider: Desk) -> None:
    with pytest.raises(FileRefused, match=r"ends in \.docx.*\.cells"):
        read(task(provider, name="may.docx"))
    with pytest.raises(FileRefused, match="has no ending"):
        read(task(provider, name="may"))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "two names"])
def test_what_is_no_plain_file_is_not_read(provider: Desk, kind: str) -> None:
    given = task(provider)
    source = provider.folder / "source"
    if kind == "two names":
        os.link(source, provider.folder / "other")
    else:
        source.rename(provider.folder / "other")
        match kind:
            case "link":
                source.symlink_to(provider.folder / "other")
            case "pipe":
                os.mkfifo(source)
            case _:
                source.mkdir()
    with pytest.raises((FileRefused, IsADirectoryError)):
        read(given)
    assert not (provider.folder / "rows.jsonl").exists()


def test_a_reader_that_breaks_its_contract_is_named_and_leaves_no_rows(provider: Desk) -> None:
    with pytest.raises(FileRefused, match=r"2 columns, but also the row .*'wider'"):
        read(task(provider, "id,text\n1,one\n2,wide\n"))
    assert set(provider.everything()) == {"source"}


def test_a_reader_that_a_route_names_is_used_whatever_the_suffix(provider: Desk) -> None:
    assert read(task(provider, name="may.docx", reader=provider.recipe("cells"))).rows == 5
    with pytest.raises(FileRefused, match="reader settings"):
        read(task(provider, reader=provider.recipe("cells", colour="green")))
