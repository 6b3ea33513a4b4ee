"""Answers that are read and rendered many at once come to the same bytes as those that are read one by one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine
from batchd.answers.unknown_calls import unknown_call
from batchd.domain.rows import Run
from batchd.file_sink import Shape
from batchd.model import Dialect
from batchd.work.collecting.collect import CollectDone, collect
from batchd.work.collecting.render import RenderTask
from batchd.work.collecting.sorted_answers import sort_answers
from batchd.work.kept_answers import KeptAnswers
from batchd.work.part_files import write_results
from tests.answers.lines import SHAPES

from .conftest import Desk
from .test_collect import collecting

ROWS = 5
COLUMNS = ["id", "text"]
ODD = [shape for shape, _ in SHAPES.values() if b"\n" not in shape and shape.startswith(b"{")]
TEXTS = st.sampled_from(
    ["a|b", " a | b ", "<think>hm</think>a|b", "=1+1|b", "a", "", "a|b|c", "```\na|b\n```", '"q"|x;y', "'a|b\\", "é|\t"]
)


def usual(text: str, given: int = 12, written: int = 5, total: int | None = 17, reason: str = "stop") -> bytes:
    """A line as most services write it, or nearly."""
    usage = {"prompt_tokens": given, "completion_tokens": written, "total_tokens": total}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    body = {"choices": [choice], "usage": usage}
    response = {"status_code": 200, "request_id": "r", "body": body}
    return msgspec.json.encode({"id": "b", "custom_id": "job-3", "response": response, "error": None})


LINES = (
    st.builds(usual, TEXTS)
    | st.builds(usual, TEXTS, given=st.integers(-1, 13), written=st.integers(-1, 6), total=st.sampled_from([17, None]))
    | st.builds(usual, TEXTS, reason=st.sampled_from(["stop", "length", "content_filter"]))
    | st.sampled_from(ODD)
    | st.just(unknown_call("job-3").strip())
)
ANSWERS = st.lists(st.tuples(st.integers(0, ROWS - 1), LINES), max_size=9)


def collected(desk: Desk, answers: list[tuple[int, bytes]], sink: str, dialect: Dialect | None, **more: Any) -> Any:
    """The part collected: what is done, its results and the pieces of the sink."""
    values = [
        [str(row), ["plain", 'a "quoted" one', "semi;colon", "'apostrophe", "line\nbreak"][row]] for row in range(ROWS)
    ]
    lines = [msgspec.json.encode(each) + b"\n" for each in values]
    rows = desk.write("rows.jsonl", b"".join(lines))
    columns = ["one", "two"]
    shape = Shape("job", COLUMNS, columns, dialect)
    run = Run(rows, 0, sum(map(len, lines)), 0, ROWS, COLUMNS, None, cancelled=False)
    settings = {"user": "{{ text }}", "columns": columns, "separator": "|"}
    more["renders"] = [RenderTask(run, shape, desk.recipe(sink), desk.path("piece"))]
    more["builder"] = desk.recipe(more["builder"], **settings)
    task = collecting(desk, [], first=0, rows=ROWS, attempt=3, endpoint="/v1/chat/completions", **more)
    Path(task.answers).write_bytes(b"".join(b"%d %b\n" % each for each in answers))
    done = collect(task)
    assert isinstance(done, CollectDone)
    return done, {
        name: content for name, content in desk.everything().items() if name.startswith(("results.2", "piece"))
    }


@pytest.mark.slow
@given(
    ANSWERS,
    st.booleans(),
    st.sampled_from([None, Dialect(), Dialect(delimiter=";", line_end="\r\n", quoting="all"), Dialect(form="jsonl")]),
)
@example([(0, usual("```\na|b\n```")), (1, usual("<think>hm</think>a|b")), (2, usual("=1+1|b"))], False, Dialect())
@example([(row, usual("a|b")) for row in range(ROWS)], False, None)
@example(
    [(0, usual("a|b")), (0, usual("c|d")), (1, usual("")), (2, unknown_call("job-2").strip()), (2, usual("x|y"))],
    False,
    None,
)
def test_many_at_once_is_the_same_as_one_by_one(
    plugin_dir: str, answers: list[tuple[int, bytes]], settled: bool, dialect: Dialect | None
) -> None:
    both = []
    for ways in (("template", "csv", "same"), ("one-by-one", "csv-by-row", "same-by-row")):
        builder, *sinks = ways
        for sink in sinks:
            with tempfile.TemporaryDirectory() as folder:
                desk = Desk(Path(folder), plugin_dir)
                more = {}
                if settled:
                    write_results(desk.folder / "before", [ResultLine(0, True, ["x", "y"]), ResultLine(3, False)])
                    more["settled"] = desk.path("before")
                both.append(collected(desk, answers, sink, dialect, builder=builder, **more))
    assert both[:2] == both[2:]


def test_most_answers_are_read_many_at_once(provider: Desk) -> None:
    lines = [(row, usual("a|b")) for row in range(ROWS)]
    lines += [(1, usual("c|d")), (2, unknown_call("job-2").strip())]
    path = Path(provider.write("answers", b"".join(b"%d %b\n" % each for each in lines)))
    with KeptAnswers(provider.folder) as kept:
        found = sort_answers(path, range(4), kept)
    assert found.usual.rows == [0, 3]
    assert found.lines == {1: [usual("a|b"), usual("c|d")], 2: [usual("a|b")], 4: [usual("a|b")]}
    assert found.unknown == {2}


def test_a_builder_that_raises_over_one_text_costs_no_other_row(provider: Desk) -> None:
    answers = [(row, usual(text)) for row, text in enumerate(["a|b", "raise", "half", "short", "c|d"])]
    done, files = collected(provider, answers, "csv", None, builder="nervous")
    lines = [msgspec.json.decode(each, type=ResultLine) for each in files["results.2.jsonl"].splitlines()]
    assert [each.failure() and each.failure().code for each in lines] == [None, "parse", "parse", None, None]  # type: ignore[union-attr]
    assert lines[3].answer == ["short", None]
    assert (done.ok, done.failed) == (3, 2)
