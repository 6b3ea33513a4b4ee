"""A batch's answers are distributed out to its parts and joined with their rows."""

from __future__ import annotations

import itertools
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from batchd.answers.joining import ResultLine
from batchd.answers.meaning import request_of
from batchd.model import Usage
from batchd.money.lanes import Lane
from batchd.work.collecting.collect import CollectTask, collect
from batchd.work.collecting.distribute import (
    DistributeDone,
    DistributeTask,
    Share,
    distribute,
)
from batchd.work.part_files import decode_results, read_results, write_results

from .conftest import Desk


def answered(custom_id: str, text: str = "yes", status: int = 200) -> bytes:
    """An output line of OpenAI's."""
    body = {
        "choices": [{"message": {"content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}},
    }
    response = {"status_code": status, "body": body if status == 200 else {"error": {"code": "bad", "message": "No."}}}
    return json.dumps({"custom_id": custom_id, "response": response, "error": None}, ensure_ascii=False).encode()


def dealing(provider: Desk, lines: list[bytes], *shares: tuple[str, int, int], end: bytes = b"\n") -> DistributeTask:
    """Distribute these lines out to parts: (job, first row, rows) each."""
    answers = provider.write("answers.jsonl", b"".join(line + end for line in lines))
    return DistributeTask(
        answers,
        [Share(job, first, rows, provider.path(f"{job}.{first}")) for job, first, rows in shares],
        provider.path("strays.jsonl"),
    )


def distributed(provider: Desk, name: str) -> list[bytes]:
    """The lines that a part was given, each of which stands behind the number of its row."""
    lines = []
    for line in provider.read(name).split(b"\n")[:-1]:
        row, _, said = line.partition(b" ")
        assert b'"custom_id": "%b-%b"' % (name.partition(".")[0].encode(), row) in said
        lines.append(said)
    return lines


def strays(provider: Desk) -> list[bytes]:
    """The lines that are nobody's, as they came."""
    return provider.read("strays.jsonl").split(b"\n")[:-1]


def numbered(line: bytes) -> bytes:
    """A line as a part is given it."""
    request = request_of(line)
    assert request is not None
    return b"%d %b\n" % (request.row, line)


def test_each_part_gets_its_lines_in_the_order_they_came(provider: Desk) -> None:
    lines = [answered(each) for each in ("b-0", "a-12", "a-3", "a-0", "b-1", "a-12", "a-10")]
    done = distribute(dealing(provider, lines, ("a", 0, 10), ("a", 10, 10), ("b", 0, 2)))
    assert distributed(provider, "a.0") == [answered("a-3"), answered("a-0")]
    assert distributed(provider, "a.10") == [answered("a-12"), answered("a-12"), answered("a-10")]
    assert distributed(provider, "b.0") == [answered("b-0"), answered("b-1")]
    assert done == DistributeDone(7, 0)
    assert "strays.jsonl" not in provider.everything()


def test_a_part_without_an_answer_gets_an_empty_file(provider: Desk) -> None:
    assert distribute(dealing(provider, [], ("a", 0, 10))) == DistributeDone(0, 0)
    assert provider.read("a.0") == b""


def test_what_is_nobodys_is_set_aside(provider: Desk) -> None:
    nobodys = [answered("c-0"), answered("a-10"), answered("a-00"), answered("request-1"), b'{"no": "id"}', b"<html>"]
    done = distribute(dealing(provider, [nobodys[0], answered("a-0"), *nobodys[1:]], ("a", 0, 10)))
    assert done == DistributeDone(1, 6)
    assert strays(provider) == nobodys


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b" \t\r\n\r\n"])
def test_however_lines_end(provider: Desk, end: bytes) -> None:
    done = distribute(dealing(provider, [answered("a-0"), answered("a-1")], ("a", 0, 10), end=end))
    assert distributed(provider, "a.0") == [answered("a-0"), answered("a-1")]
    assert done == DistributeDone(2, 0)


def test_a_last_line_without_its_end_and_a_mark_at_the_beginning(provider: Desk) -> None:
    given = dealing(provider, [], ("a", 0, 10))
    provider.write("answers.jsonl", b"\xef\xbb\xbf" + answered("a-0") + b"\n" + answered("a-1"))
    assert distribute(given) == DistributeDone(2, 0)
    assert distributed(provider, "a.0") == [answered("a-0"), answered("a-1")]


@pytest.mark.parametrize("text", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\x1e"])
def test_separators_inside_of_an_answer_cut_nothing(provider: Desk, text: str) -> None:
    line = answered("a-0", f"one{text}two")
    distribute(dealing(provider, [line, answered("a-1")], ("a", 0, 10)))
    assert distributed(provider, "a.0") == [line, answered("a-1")]


def test_a_line_that_is_no_json_goes_to_the_part_it_names(provider: Desk) -> None:
    broken = answered("a-12")[:-30]
    done = distribute(dealing(provider, [broken], ("a", 0, 10), ("a", 10, 10)))
    assert (distributed(provider, "a.10"), done) == ([broken], DistributeDone(1, 0))


def test_many_parts_get_their_lines(provider: Desk) -> None:
    number = 250
    lines = [answered(f"a-{row}") for row in reversed(range(number * 3))] + [answered("b-0")]
    done = distribute(dealing(provider, lines, *(("a", first * 3, 3) for first in range(number))))
    assert done == DistributeDone(number * 3, 1)
    assert strays(provider) == [answered("b-0")]
    for first in (0, 3, 597, 600, 603, number * 3 - 3):
        assert distributed(provider, f"a.{first}") == [answered(f"a-{first + row}") for row in (2, 1, 0)]


def test_no_more_files_are_open_than_a_service_may_have(provider: Desk) -> None:
    task = dealing(provider, [answered(f"a-{row}") for row in range(40)], *(("a", row, 1) for row in range(40)))
    with at_most_open(9):
        assert distribute(task) == DistributeDone(40, 0)


@contextmanager
def at_most_open(more: int) -> Iterator[None]:
    """This process may open so many files more than it has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = set(map(int, os.listdir("/proc/self/fd")))
    free = itertools.islice((number for number in itertools.count() if number not in taken), more)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(free) + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_service_that_lies_without_end_does_not_fill_the_memory(provider: Desk) -> None:
    distribute(dealing(provider, [answered(f"b-{row}") for row in range(50)], ("a", 0, 1)), strays_kept=3)
    assert len(strays(provider)) == 3


def test_dealt_again_every_file_has_the_same_bytes(provider: Desk) -> None:
    given = dealing(provider, [answered("a-1"), answered("b-5"), answered("a-0"), b"x"], ("a", 0, 1), ("a", 1, 1))
    first = distribute(given)
    everything = provider.everything()
    assert distribute(given) == first
    assert provider.everything() == everything


# --- collecting ------------------------------------------------------------------------------------------------


def collecting(provider: Desk, lines: list[bytes], *, first: int = 10, **more: Any) -> CollectTask:
    """Collect a part of four rows."""
    given: dict[str, Any] = {
        "first": first,
        "rows": 4,
        "answers": provider.write("answers", b"".join(numbered(line) for line in lines)),
        "settled": None,
        "results": provider.path("results.2.jsonl"),
        "builder": provider.recipe("ask"),
        "attempt": 1,
        "attempts": 3,
        "lane": Lane.BATCH,
    }
    return CollectTask(**(given | more))


def outcomes(provider: Desk) -> dict[int, tuple[bool, Any]]:
    """What the new results file says of each row."""
    lines = list(read_results(provider.folder / "results.2.jsonl"))
    assert [line.row for line in lines] == sorted({line.row for line in lines})
    return {line.row: (line.ok, line.answer[0] if line.ok else line.code) for line in lines}


def test_rows_are_joined_with_their_answers_in_row_order(provider: Desk) -> None:
    lines = [answered("a-13", "last"), answered("a-10", "first"), answered("a-11", status=400)]
    done = collect(collecting(provider, lines))
    assert outcomes(provider) == {10: (True, "first"), 11: (False, "bad"), 13: (True, "last")}
    assert (done.ok, done.failed, done.leftovers, done.reasons) == (2, 1, 1, {"no_answer": 1})
    assert (done.bill.usage, done.bill.wasted) == (Usage(20, 4, 10), Usage())
    [line, *_] = read_results(provider.folder / "results.2.jsonl")
    assert line.output_line == answered("a-10", "first")
    assert line.usage == (10, 2, 5)


def test_what_was_settled_before_is_kept_and_not_settled_again(provider: Desk) -> None:
    before = [ResultLine(10, True, ["kept"], usage=(1, 0, 1)), ResultLine(12, False, code="old", message="Old.")]
    write_results(provider.folder / "results.1.jsonl", before)
    lines = [answered("a-10", "again"), answered("a-12", "late"), answered("a-11", "new")]
    done = collect(collecting(provider, lines, settled=provider.path("results.1.jsonl"), attempt=2))
    assert outcomes(provider) == {10: (True, "kept"), 11: (True, "new"), 12: (False, "old")}
    assert decode_results(provider.folder / "results.2.jsonl")[10] == before[0]
    assert (done.ok, done.failed, done.leftovers) == (2, 1, 1)
    # Of the attempt alone; what the others cost was counted then.
    assert done.bill.usage == Usage(10, 2, 5)


def test_the_last_attempt_leaves_nothing_open(provider: Desk) -> None:
    done = collect(collecting(provider, [answered("a-10"), answered("a-11", "useless")], attempt=3))
    assert (done.ok, done.failed, done.leftovers) == (1, 3, 0)
    assert outcomes(provider) == {
        10: (True, "yes"),
        11: (False, "useless"),
        12: (False, "no_answer"),
        13: (False, "no_answer"),
    }
    assert done.bill.wasted == Usage(10, 2, 5)


@pytest.mark.parametrize("text", ["\u2028", "\x85", "\x00", "\r"])
def test_an_answer_is_whole_whatever_is_in_it(provider: Desk, text: str) -> None:
    collect(collecting(provider, [answered("a-10", f"one{text}two"), answered("a-11")]))
    assert outcomes(provider) == {10: (True, f"one{text}two"), 11: (True, "yes")}


def test_collected_again_the_results_have_the_same_bytes(provider: Desk) -> None:
    write_results(provider.folder / "results.1.jsonl", [ResultLine(12, True, ["kept"])])
    lines = [answered("a-11", status=400), answered("a-10"), answered("a-10", "double"), answered("a-13")[:-9]]
    given = collecting(provider, lines, settled=provider.path("results.1.jsonl"))
    first = collect(given)
    everything = provider.everything()
    assert collect(given) == first
    assert provider.everything() == everything
