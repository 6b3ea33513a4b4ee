"""Cutting a part, failing rows by name, taking failures back: no result is lost or made up."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine
from batchd.domain import rows
from batchd.model import Failure
from batchd.work.collecting.fail_rows import ClearFailuresTask, FailRowsTask, clear_failures, fail_rows
from batchd.work.part_files import decode_results, lines_of, write_results
from batchd.work.planning.split import Piece, SplitTask, split

from .conftest import Desk

LINES = [rows.encode([str(number), "text" * number]) for number in range(12)]


def splitting(provider: Desk, piece_rows: int, *, settled: bool = False) -> SplitTask:
    """Cut the part of rows 102 to 108, which stands in the middle of the file."""
    return SplitTask(
        first=102,
        offset=sum(map(len, LINES[:2])),
        length=sum(map(len, LINES[2:9])),
        rows=provider.write("rows.jsonl", b"".join(LINES)),
        piece_rows=piece_rows,
        settled=provider.path("results.1.jsonl") if settled else None,
        results=provider.path("{first}.results.2.jsonl"),
        corrections=provider.path("{first}.corrections.2"),
        follows=provider.path("{first}.follows"),
        keys=provider.path("keys"),
    )


def test_pieces_are_stretches_of_the_part(provider: Desk) -> None:
    pieces = split(splitting(provider, 3))
    assert [(piece.first, piece.rows) for piece in pieces] == [(102, 3), (105, 3), (108, 1)]
    content = provider.read("rows.jsonl")
    for piece in pieces:
        stretch = content[piece.offset : piece.offset + piece.length]
        assert stretch == b"".join(LINES[piece.first - 100 : piece.first - 100 + piece.rows])
    assert set(provider.everything()) == {"rows.jsonl"}


def test_each_piece_gets_its_share_of_the_results(provider: Desk) -> None:
    results = [
        ResultLine(102, True, ["a"], usage=(1, 2, 3)),
        ResultLine(104, False, code="c", message="m"),
        ResultLine(108, True, ["b"]),
    ]
    write_results(provider.folder / "results.1.jsonl", results)
    pieces = split(splitting(provider, 3, settled=True))
    assert [(piece.ok, piece.failed) for piece in pieces] == [(1, 1), (0, 0), (1, 0)]
    shares = [list(decode_results(provider.folder / f"{piece.first}.results.2.jsonl").values()) for piece in pieces]
    assert shares == [results[:2], [], results[2:]]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 9), st.sets(st.integers(102, 108)))
def test_nothing_is_lost_and_run_again_the_bytes_are_the_same(
    provider: Desk, piece_rows: int, settled: set[int]
) -> None:
    for path in provider.folder.iterdir():
        path.unlink()
    results = [ResultLine(row, row % 2 == 0, [row]) for row in sorted(settled)]
    write_results(provider.folder / "results.1.jsonl", results)
    task = splitting(provider, piece_rows, settled=True)
    pieces = split(task)
    everything = provider.everything()
    assert split(task) == pieces
    assert provider.everything() == everything
    assert sum(piece.rows for piece in pieces) == 7
    assert sum(piece.length for piece in pieces) == task.length
    kept = [
        line for piece in pieces for line in decode_results(provider.folder / f"{piece.first}.results.2.jsonl").values()
    ]
    assert kept == results
    assert sum(piece.ok + piece.failed for piece in pieces) == len(results)
    assert all(isinstance(piece, Piece) for piece in pieces)


# --- striking --------------------------------------------------------------------------------------------------

BAD = Failure("invalid_json_line", "This line is not valid.")


def test_struck_rows_fail_by_name_beside_what_is_settled(provider: Desk) -> None:
    write_results(provider.folder / "1", [ResultLine(3, True, ["a"]), ResultLine(5, False, code="old", message="Old.")])
    task = FailRowsTask(provider.path("1"), provider.path("2"), {9: BAD, 1: BAD})
    assert fail_rows(task) == 3
    lines = decode_results(provider.folder / "2")
    assert {row: (line.ok, line.code) for row, line in lines.items()} == {
        1: (False, BAD.code), 3: (True, None), 5: (False, "old"), 9: (False, BAD.code),
    }  # fmt: skip
    assert list(lines) == [1, 3, 5, 9]
    assert lines[1].failure() == BAD


def test_what_is_settled_is_not_struck(provider: Desk) -> None:
    write_results(provider.folder / "1", [ResultLine(3, True, ["a"])])
    assert fail_rows(FailRowsTask(provider.path("1"), provider.path("2"), {3: BAD})) == 0
    assert decode_results(provider.folder / "2")[3].ok


def test_the_first_results_of_a_part_may_be_struck_ones(provider: Desk) -> None:
    assert fail_rows(FailRowsTask(None, provider.path("1"), {3: BAD})) == 1


def test_reopened_only_answers_stay(provider: Desk) -> None:
    results = [ResultLine(3, True, ["a"], usage=(1, 2, 3)), ResultLine(5, False, code="old", message="Old.")]
    write_results(provider.folder / "1", results)
    assert clear_failures(ClearFailuresTask(provider.path("1"), provider.path("2"))) == (1, 0)
    assert list(decode_results(provider.folder / "2").values()) == results[:1]


@pytest.mark.parametrize("work", ["fail_rows", "clear_failures"])
def test_run_again_they_leave_the_same_bytes(provider: Desk, work: str) -> None:
    write_results(provider.folder / "1", [ResultLine(5, False, code="x", message="y"), ResultLine(3, True, ["a"])])

    def run() -> object:
        if work == "fail_rows":
            return fail_rows(FailRowsTask(provider.path("1"), provider.path("2"), {4: BAD}))
        return clear_failures(ClearFailuresTask(provider.path("1"), provider.path("2")))

    first, everything = run(), provider.everything()
    assert run() == first
    assert provider.everything() == everything


# --- lines -----------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=10), st.data())
def test_a_stretch_of_lines_is_what_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "stretch"
    path.write_bytes(b"".join(lines))
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    offset, length = sum(map(len, lines[:start])), sum(map(len, lines[start:end]))
    assert list(lines_of(path, offset, length)) == lines[start:end]
    assert list(lines_of(path)) == lines
