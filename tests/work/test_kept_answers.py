"""The answers of a batch are looked through once, and read by their places: the same lines as when they are copied."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine
from batchd.answers.meaning import owner, request_of
from batchd.answers.unknown_calls import unknown_call
from batchd.domain.rows import Run
from batchd.work.collecting.answer_lines import answer_lines
from batchd.work.collecting.batch_index import Rows, index_answers, stored_index
from batchd.work.collecting.collect import CollectDone, collect
from batchd.work.collecting.distribute import DistributeTask, Share, SurveyTask, distribute, survey
from batchd.work.collecting.sorted_answers import part_answers
from batchd.work.joined import joined
from batchd.work.kept_answers import KeptAnswers
from batchd.work.part_files import decode_results, write_results

from .conftest import Desk
from .test_answer_lines import FORMS
from .test_collect import answered, collecting
from .test_usual_answers import usual

PARTS = [("j", 0, 10), ("j", 10, 30)]


def oracle(path: Path) -> tuple[dict[int, list[tuple[int, bytes]]], list[bytes]]:
    """The lines of each part and those of none, read one by one."""
    found: dict[int, list[tuple[int, bytes]]] = {first: [] for _, first, _ in PARTS}
    nobodys = []
    for line in answer_lines(path):
        request = request_of(line)
        part = next((p for p in PARTS if request and p[0] == request.job and p[1] <= request.row < p[1] + p[2]), None)
        if part is None or request is None:
            nobodys.append(line)
        else:
            found[part[1]].append((request.row, line))
    return found, nobodys


def dealt(folder: Path, content: bytes, *, kept: bool) -> tuple[dict[int, list[tuple[int, bytes]]], list[bytes]]:
    """What each part gets, and what belongs to none."""
    answers, strays = folder / "answers.jsonl", folder / "strays.jsonl"
    answers.write_bytes(content)
    shares = [Share(job, first, rows, str(folder / f"{first}.answers.1.jsonl")) for job, first, rows in PARTS]
    task = DistributeTask(str(answers), shares, str(strays), None, str(folder / "answers.b.jsonl") if kept else None)
    arrived = survey(SurveyTask(str(answers), [Rows(*part) for part in PARTS]))
    done = distribute(task)
    got = {share.first: [(row, line) for row, line, _ in part_answers(Path(share.answers))] for share in shares}
    nobodys = strays.read_bytes().split(b"\n")[:-1] if done.strays else []
    every = [line for lines in got.values() for line in lines]
    assert (
        done.strays == len(nobodys) == arrived.unreadable + arrived.foreign + (arrived.cut and not ends_named(answers))
    )
    assert done.answers == sum(not line.startswith(b'{"unknown_call"') for _, line in every)
    assert arrived.ours <= len({row for row, _ in every}) <= arrived.ours + arrived.cut
    return got, nobodys


def ends_named(answers: Path) -> bool:
    """Whether the last line says whose it is, however much of it is missing."""
    lines = list(answer_lines(answers))
    return owner(lines[-1]) is not None if lines else True


def test_every_form_is_given_to_the_parts(tmp_path: Path) -> None:
    faults = []
    for name, content in FORMS.items():
        path = tmp_path / "oracle"
        path.write_bytes(content)
        got = [dealt(tmp_path, content, kept=kept) for kept in (False, True)]
        if got != [oracle(path)] * 2:
            faults.append(name)
    assert not faults


def test_lines_with_lists_of_objects_are_read_in_place(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    lines = [b'{"custom_id":"j-%d","list":[{"a":1}, {"b":2}],"text":"}{ } { },{"}\r\n' % number for number in range(5)]
    answers.write_bytes(b"".join(lines))
    index = index_answers(answers, [Rows("j", 0, 5)], None)
    assert (index.odd, index.answers) == (False, 5)
    answers.write_bytes(b'{"custom_id":"j-0"} {"custom_id":"j-1"}\n{"custom_id":"j-2"},{"custom_id":"j-3"}\n')
    index = index_answers(answers, [Rows("j", 0, 5)], None)
    assert (index.odd, index.answers) == (True, 4)


PIECES = st.sampled_from(
    [
        usual("a|b").replace(b"job-3", b"j-3"),
        usual("a }{ b").replace(b"job-3", b"j-13"),
        b'{"id": "x", "custom_id": "j-4", "response": {"custom_id": "j-5"}}',
        b'{"id":"x","custom_id":"j-4","custom_id":"j-6"}',
        b'{"id":"x","custom_id":7}',
        b'{"id":"x","custom_id":"j-8"} {"custom_id":"j-9"}',
        b'{"id":"x","custom_id":"j-8"}{"custom_id":"j-9"}',
        b'{"id":"x","custom_id":"j-12","response":{"status_code":200,"bo',
        b'{"custom_id":"other-1"}',
        b'{"id":"x","custom_id":"j-40"}',
        b'{"id":"x","custom_id":"j-04"}',
        b'{"no": "id"}',
        b'{"data":[{"custom_id":"j-1"},{"custom_id":"j-2"}]}',
        b'[{"custom_id":"j-1"},',
        b'{"id":"x","custom_id":"j-2","text":"\xff"}',
        b'{"id":"x","custom_id":"\xff"}',
        unknown_call("j-1").strip(),
        b"<html>",
        b"",
        b"{",
        b"}",
    ]
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b" \n", b",\n", b"\n\n"])


@pytest.mark.slow
@given(st.lists(st.tuples(PIECES, ENDS), max_size=6), st.sampled_from([b"", b"\xef\xbb\xbf"]), st.booleans())
@example([(b'{"id":"x","custom_id":"j-8"}{"custom_id":"j-9"}', b"\n")], b"", False)
def test_parts_get_the_lines_that_are_read_one_by_one(
    pieces: list[tuple[bytes, bytes]], mark: bytes, cut: bool
) -> None:
    content = mark + b"".join(piece + end for piece, end in pieces)
    content = content.rstrip(b"\r\n") if cut else content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "oracle")
        path.write_bytes(content)
        expected = oracle(path)
        assert dealt(Path(folder), content, kept=True) == expected
        assert dealt(Path(folder), content, kept=False) == expected


def test_answers_that_were_looked_through_are_not_again_unless_they_have_changed(tmp_path: Path) -> None:
    answers, asked = tmp_path / "answers.jsonl", [Rows("j", 0, 3)]
    answers.write_bytes(b'{"custom_id":"j-0"}\n{"custom_id":"j-1"}\n')
    found = index_answers(answers, asked, None)
    stored = stored_index(answers).read_bytes()
    assert index_answers(answers, asked, None) == found
    assert stored_index(answers).read_bytes() == stored
    assert index_answers(answers, [Rows("j", 0, 1)], None).arrived.foreign == 1, "other rows are asked for"
    for damaged in (stored[:-9], stored[:9] + b"\0" + stored[10:], b""):
        stored_index(answers).write_bytes(damaged)
        assert index_answers(answers, asked, None) == found
    answers.write_bytes(b'{"custom_id":"j-2"}\n')
    assert [row for row, *_ in index_answers(answers, asked, None).parts[0]] == [2]


def test_outcomes_refer_to_lines_that_are_kept(provider: Desk) -> None:
    parts = provider.folder / "parts"
    parts.mkdir()
    at_work = Desk(parts, provider.plugin_dir)
    lines = [usual(f"re {row}").replace(b"job-3", b"a-%d" % row) for row in (11, 10)] + [
        answered("a-12"),
        answered("a-13"),
    ]
    answers = provider.write("answers.jsonl", b"\n".join(lines))
    share = Share("a", 10, 4, at_work.path("10.answers.1.jsonl"))
    distribute(DistributeTask(answers, [share], provider.path("strays"), None, at_work.path("answers.b.jsonl")))
    Path(answers).unlink()
    done = collect_part(at_work, share)
    assert (done.ok, done.failed) == (4, 0)
    results = decode_results(parts / "results.2.jsonl")
    assert json.loads(bytes(results[10].raw)) == ["answers.b.jsonl", len(lines[0]) + 1, len(lines[1])]
    assert results[10].output_line is None
    assert results[12].output_line == lines[2], "what is odd is kept as it is"
    rows = provider.write("rows.jsonl", b'["x"]\n' * 4)
    run = Run(rows, 0, 24, 10, 4, ["text"], str(parts / "results.2.jsonl"), cancelled=False)
    assert [row.raw for row in joined(run)] == [lines[1], lines[0], *lines[2:]]
    with KeptAnswers(parts) as kept:
        assert kept.whole(results[11]).output_line == lines[0]
        assert kept.whole(ResultLine(1, False)) == ResultLine(1, False)
    (parts / "answers.b.jsonl").unlink()
    assert [row.raw for row in joined(run)] == [None, None, *lines[2:]], "what is gone stops no delivery"
    write_results(parts / "again.jsonl", results.values())
    assert decode_results(parts / "again.jsonl") == results


def collect_part(desk: Desk, share: Share) -> CollectDone:
    """Collect the part in its folder."""
    return collect(collecting(desk, [], answers=share.answers, builder=desk.recipe("template", user="{{ text }}")))
