"""What becomes of each row asked, by the lines that answer it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine, join
from batchd.answers.meaning import outcome
from batchd.columns import free_names
from batchd.contracts import PromptBuilder, Settings
from batchd.model import Body, Failure, Json, Response, Row, Usage

from .lines import ERROR, SHAPES, answered, chat, failed, line, said


class Upper(PromptBuilder[Settings]):
    """Reads the text in capitals; some texts it cannot use."""

    columns = ("answer", "length")

    def build(self, row: Row) -> Body:
        return {}

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        text = response.text
        if text == "crash":
            raise KeyError("no such label")
        if text == "a list":
            return ["not", "a", "mapping"]  # type: ignore[return-value]
        if text == "unstorable":
            return {"answer": object()}
        if text == "half a pair":
            return {"answer": "\ud83d"}
        if text is None or text.startswith("unusable"):
            return Failure("unusable", f"Cannot use {text}.", transient=text is None or "for now" in text)
        return {"answer": text.upper(), "length": len(text)}


BUILDER = Upper(Settings())


@given(st.binary(max_size=60))
def test_a_line_of_any_bytes_gives_its_row_an_outcome_that_can_be_stored(raw: bytes) -> None:
    done = join([3], {3: [raw]}, BUILDER, attempt=1, attempts=1)
    [stored] = [msgspec.json.decode(msgspec.json.encode(each), type=ResultLine) for each in done.lines]
    assert stored.row == 3


def joined(*raws: bytes, attempt: int = 1, attempts: int = 3) -> Any:
    """Row 3 after these lines."""
    return join([3], {3: list(raws)} if raws else {}, BUILDER, attempt=attempt, attempts=attempts)


def test_an_answer_becomes_a_line_with_the_builders_columns_in_order() -> None:
    raw = answered("yes")
    done = joined(raw)
    assert done.lines == [
        ResultLine(3, True, ["YES", 3], usage=(10, 0, 5), raw=msgspec.Raw(raw)),
    ]
    assert done.lines[0].failure() is None
    assert (done.leftovers, done.bill.usage, done.bill.wasted) == ([], Usage(10, 0, 5), Usage())


def test_silence_is_asked_again_until_attempts_are_used_up() -> None:
    assert (joined().leftovers, dict(joined().reasons)) == ([3], {"no_answer": 1})
    assert joined(attempt=2).leftovers == [3]
    [gone] = joined(attempt=3).lines
    assert (gone.ok, gone.code) == (False, "no_answer")
    assert gone.message == "The service returned no answer for this row. (asked 3 times)"


def test_a_refusal_that_will_not_change_fails_the_row_at_once_and_keeps_what_was_said() -> None:
    raw = failed(400, ERROR)
    [gone] = joined(raw).lines
    assert gone == ResultLine(3, False, code="too_long", message="Too many words.", raw=msgspec.Raw(raw))
    assert gone.output_line == raw
    assert gone.failure() == Failure("too_long", "Too many words.")


@pytest.mark.parametrize("shape", [name for name, (_, expected) in SHAPES.items() if expected.endswith("transient")])
def test_what_may_pass_is_a_leftover_by_its_code(shape: str) -> None:
    raw, expected = SHAPES[shape]
    done = joined(raw)
    assert done.leftovers == [3]
    assert list(done.reasons) == [expected.split(" ", maxsplit=1)[0]]
    assert joined(raw, attempt=3).leftovers == []


def test_the_first_usable_answer_wins_whatever_came_before_and_after() -> None:
    raws = [failed(429), answered("unusable"), answered("first"), answered("second"), failed(400, ERROR)]
    done = joined(*raws)
    assert [each.answer for each in done.lines] == [["FIRST", 5]]
    # Three answers were billed; two of them answered no row.
    assert done.bill.usage == Usage(30, 0, 15)
    assert done.bill.wasted == Usage(20, 0, 10)


def test_a_lasting_refusal_counts_more_than_a_passing_one() -> None:
    done = joined(failed(429), failed(400, ERROR), failed(500))
    assert [each.code for each in done.lines] == ["too_long"]
    done = joined(failed(400, ERROR), failed(429))
    assert [each.code for each in done.lines] == ["too_long"]


def test_an_answer_that_the_builder_cannot_use_is_wasted_and_asked_again_if_it_says_so() -> None:
    done = joined(answered("unusable for now"))
    assert (done.leftovers, done.bill.usage, done.bill.wasted) == ([3], Usage(10, 0, 5), Usage(10, 0, 5))
    done = joined(answered("unusable"))
    assert [each.message for each in done.lines] == ["Cannot use unusable."]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("crash", "KeyError: 'no such label'"),
        ("a list", "'list' object has no attribute"),
        ("unstorable", "objects of type object"),
        ("half a pair", "surrogates"),
    ],
)
def test_a_builder_at_fault_fails_this_row_alone_and_is_named(text: str, told: str) -> None:
    done = join(
        [2, 3, 4],
        {2: [answered("two")], 3: [answered(text)], 4: [answered("four")]},
        BUILDER,
        attempt=1,
        attempts=3,
    )
    assert [(each.row, each.ok) for each in done.lines] == [(2, True), (3, False), (4, True)]
    gone = done.lines[1]
    assert gone.code == "parse"
    assert gone.message is not None
    assert "Upper" in gone.message
    assert told in gone.message
    assert done.bill.wasted == Usage(10, 0, 5)
    msgspec.json.encode(done.lines)


def test_only_rows_that_were_asked_are_settled() -> None:
    done = join([1, 3], {n: [answered()] for n in range(5)}, BUILDER, attempt=1, attempts=1)
    assert [each.row for each in done.lines] == [1, 3]
    assert done.bill.usage == Usage(20, 0, 10)


@pytest.mark.parametrize(
    ("raw", "answer", "told"),
    [
        (line({"status_code": 200, "body": chat("yes", logprobs=float("nan"))}), "YES", b'"logprobs": null'),
        (answered("yes \ud83d"), "YES \ufffd", "yes \ufffd".encode()),
        (answered("\ud83d\ude00"), "😀", b"\\ud83d\\ude00"),  # a whole pair is left as it was written
    ],
)
def test_what_is_nearly_json_is_read_and_kept_as_json(raw: bytes, answer: str, told: bytes) -> None:
    joined = join([3], {3: [raw]}, BUILDER, attempt=1, attempts=3)
    [result] = joined.lines
    assert (result.answer[0], joined.leftovers) == (answer, [])
    assert result.usage == (10, 0, 5)
    stored = msgspec.json.decode(msgspec.json.encode(result), type=ResultLine)
    assert told in (stored.output_line or b"")
    assert json.loads(stored.output_line or b"")["custom_id"] == "job-3"


def test_a_line_that_is_no_json_is_not_kept_as_such() -> None:
    [gone] = joined(answered()[:-9], attempt=3).lines
    assert gone.output_line is None
    [gone] = joined(answered()[:-9], failed(500), attempt=3).lines
    assert gone.output_line == failed(500)


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from([raw for raw, _ in SHAPES.values()] + [answered("unusable")])),
        max_size=20,
    ),
    st.integers(1, 3),
)
def test_every_row_asked_has_exactly_one_end(lines: list[tuple[int, bytes]], attempt: int) -> None:
    answers: dict[int, list[bytes]] = {}
    for row, raw in lines:
        answers.setdefault(row, []).append(raw)
    done = join(range(5), answers, BUILDER, attempt=attempt, attempts=3)
    settled = [each.row for each in done.lines]
    assert sorted(settled + done.leftovers) == list(range(5))
    assert sum(done.reasons.values()) == len(done.leftovers)
    assert attempt < 3 or not done.leftovers
    answered_usage = sum((Usage(*each.usage) for each in done.lines if each.usage), Usage())
    assert answered_usage + done.bill.wasted == done.bill.usage
    for each in done.lines:
        assert each.ok == any(said(raw) == "ok" and _usable(raw) for raw in answers.get(each.row, ()))


def _usable(raw: bytes) -> bool:
    found = outcome(raw)
    return isinstance(found, Response) and not (found.failure or isinstance(BUILDER.parse(found), Failure))


# --- columns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "answers", "named"),
    [
        (["id", "text"], ["answer"], ["answer"]),
        (["id", "answer"], ["answer"], ["answer (2)"]),
        (["answer", "answer (2)"], ["answer"], ["answer (3)"]),
        (["answer"], ["answer (2)", "answer"], ["answer (2)", "answer (3)"]),
        ([], ["a", "a"], ["a", "a (2)"]),
        (["Answer"], ["answer"], ["answer"]),
    ],
)
def test_answer_columns_get_a_number_where_the_name_is_taken(
    columns: list[str], answers: list[str], named: list[str]
) -> None:
    assert free_names(columns, answers) == named


NAMES = st.lists(st.sampled_from(["a", "a (2)", "a (3)", "b", "b (2)", ""]), max_size=6)


@given(NAMES, NAMES)
def test_no_two_columns_of_the_results_share_a_name(columns: list[str], answers: list[str]) -> None:
    columns = list(dict.fromkeys(columns))
    named = free_names(columns, answers)
    assert len(named) == len(answers)
    assert len({*columns, *named}) == len(columns) + len(answers)
    assert all(name.startswith(answer) for name, answer in zip(named, answers, strict=True))
