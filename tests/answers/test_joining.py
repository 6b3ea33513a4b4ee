"""What an output line means, and what becomes of each row asked. Numbers are rows of BATCH_API's table of the wild."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine, answer_columns, join, outcome, owner
from batchd.contracts import PromptBuilder, Settings
from batchd.model import Body, Failure, Json, Response, Row, Usage


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
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def chat(text: str | None, **more: Any) -> Body:
    """A chat completion."""
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": USAGE} | more


def line(response: Json, error: Json = None, **more: Any) -> bytes:
    """An output line of row 3."""
    return json.dumps({"id": "r", "custom_id": "job-3", "response": response, "error": error} | more).encode()


def answered(text: str | None = "yes", status: Json = 200) -> bytes:
    """A line that answers row 3."""
    return line({"status_code": status, "request_id": "q", "body": chat(text)})


def failed(status: Json, error: Json = None) -> bytes:
    """A line of an HTTP failure, as OpenAI writes it: inside of the body, with `error: null` beside it."""
    return line({"status_code": status, "request_id": "q", "body": {"error": error}})


ERROR = {"message": "Too many words.", "type": "invalid_request_error", "param": "messages", "code": "too_long"}

SHAPES: dict[str, tuple[bytes, str]] = {
    # --- answers
    "ok": (answered(), "ok"),
    "201": (answered(status=201), "ok"),
    "a gateway without a status": (line({"body": chat("yes")}), "ok"),
    "a status in quotes": (answered(status="200"), "ok"),
    "length is an answer": (
        line({"status_code": 200, "body": {"choices": [{"message": {"content": "y"}, "finish_reason": "length"}]}}),
        "ok",
    ),
    "responses endpoint": (line({"status_code": 200, "body": {"output": [{"type": "message"}]}}), "ok"),
    "embeddings endpoint": (line({"status_code": 200, "body": {"data": [{"embedding": [0.1]}]}}), "ok"),
    "moderations endpoint": (line({"status_code": 200, "body": {"results": [{"flagged": False}]}}), "ok"),
    "an answer beside an empty error": (line({"status_code": 200, "body": chat("yes")}, {}), "ok"),
    # --- 4: a refusal stands in response.body.error, with the top-level error null
    "400": (failed(400, ERROR), "too_long permanent"),
    "401": (failed(401, ERROR), "too_long permanent"),
    "404 and no reason": (failed(404), "http_404 permanent"),
    "422 as text": (line({"status_code": 422, "body": "no"}), "http_422 permanent"),
    "vLLM: 400, no body, error as text": (line({"status_code": 400, "body": None}, "bad"), "http_400 permanent"),
    "vLLM: 400, no body, error as object": (
        line({"status_code": 400, "body": None}, {"message": "bad", "code": 40001}),
        "40001 permanent",
    ),
    "a code that is null": (failed(400, ERROR | {"code": None}), "invalid_request_error permanent"),
    # --- JSON but for what some services write into it: paid, and readable
    "NaN": (line({"status_code": 200, "body": chat("yes", logprobs=float("nan"))}), "ok"),
    "infinity": (line({"status_code": 200, "body": chat("yes", logprobs=[float("-inf")])}), "ok"),
    "half a surrogate pair": (answered("yes \ud83d"), "ok"),
    "half a surrogate pair, unescaped": (answered().replace(b"yes", b"yes \xed\xa0\xbd"), "ok"),
    "a tab in a string, unescaped": (answered().replace(b"yes", b"y\tes"), "ok"),
    "a refusal with NaN": (failed(400, ERROR | {"param": float("nan")}), "too_long permanent"),
    # --- asking again may help
    "408": (failed(408), "http_408 transient"),
    "409": (failed(409), "http_409 transient"),
    "425": (failed(425), "http_425 transient"),
    "429": (failed(429, {"code": "rate_limit_exceeded"}), "rate_limit_exceeded transient"),
    "500": (failed(500, {"message": "oops"}), "http_500 transient"),
    "503 as HTML": (line({"status_code": 503, "body": "<html>"}), "http_503 transient"),
    "302": (failed(302), "http_302 transient"),  # no client error: some gateway in between was not well
    "101": (failed(101), "http_101 transient"),
    # --- 3: "0 failed", and yet
    "status 0": (line({"status_code": 0, "request_id": "", "body": {}}), "http_0 transient"),
    "status null, empty body": (line({"status_code": None, "body": {}}), "http_0 transient"),
    "status true": (line({"status_code": True, "body": {}}), "http_0 transient"),
    # --- 1.3 and 8: top-level errors, for what never ran
    "batch_expired": (line(None, {"code": "batch_expired", "message": "late"}), "batch_expired transient"),
    "batch_cancelled": (line(None, {"code": "batch_cancelled", "message": "x"}), "batch_cancelled transient"),
    "expired with other words": (line(None, {"message": "You can retry your request"}), "error transient"),
    "a top-level error as text": (line(None, "went wrong"), "error transient"),
    "a top-level error as list": (line(None, ["went", "wrong"]), "error transient"),
    "an empty top-level error": (line(None, {}), "error transient"),
    "a failure for good, by our own format": (
        line(None, {"code": "refused", "message": "no", "transient": False}),
        "refused permanent",
    ),
    # --- 200 without an answer
    "200 and an error": (line({"status_code": 200, "body": {"error": ERROR}}), "too_long transient"),
    "200 and no choices": (line({"status_code": 200, "body": {"choices": []}}), "empty_answer transient"),
    "200 and null": (line({"status_code": 200, "body": None}), "empty_answer transient"),
    "200 and text": (line({"status_code": 200, "body": "hello"}), "empty_answer transient"),
    "neither answer nor error": (line(None), "empty_answer transient"),
    "response as text": (line("hello"), "empty_answer transient"),
    "response as list": (line([200]), "empty_answer transient"),
    "nothing but the id": (b'{"custom_id":"job-3"}', "empty_answer transient"),
    # --- 5 and 6: no JSON, or none of the shape
    "cut off": (answered()[:-20], "unreadable_line transient"),
    "two objects": (answered() + answered(), "unreadable_line transient"),
    "nested without end": (b'{"custom_id":"job-3","response":' + b"[" * 100_000, "unreadable_line transient"),
    "odd bytes": (answered().replace(b"yes", b"\xff\xfe"), "unreadable_line transient"),
    "a list": (b'["custom_id", "job-3"]', "unreadable_line transient"),
    "a number": (b"5", "unreadable_line transient"),
    "empty": (b"", "unreadable_line transient"),
    "HTML": (b"<html>504</html>", "unreadable_line transient"),
}


def said(raw: bytes) -> str:
    """The outcome of a line in two words."""
    found = outcome(raw)
    if isinstance(found, Response):
        return "ok"
    assert found.message, "a person must be told something"
    return f"{found.code} {'transient' if found.transient else 'permanent'}"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_line_says(shape: str) -> None:
    raw, expected = SHAPES[shape]
    assert said(raw) == expected


@pytest.mark.parametrize("raw", [failed(500), line(None, {}), line(None, ""), line(None, {"code": "x"})])
def test_a_failure_without_a_reason_says_so_in_plain_words(raw: bytes) -> None:
    found = outcome(raw)
    assert isinstance(found, Failure)
    assert "None" not in found.message
    assert found.message.endswith("no reason.")


def test_a_message_of_a_megabyte_is_cut() -> None:
    found = outcome(failed(400, {"code": "c" * 10_000, "message": "m" * 1_000_000}))
    assert isinstance(found, Failure)
    assert len(found.code) <= 100
    assert len(found.message) <= 2_000


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["custom_id", "response", "error", "status_code", "body", "choices", "code", "message"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@pytest.mark.slow
def test_no_line_whatsoever_brings_the_reading_down(raw: bytes) -> None:
    assert isinstance(outcome(raw), Response | Failure)
    assert isinstance(owner(raw), str | None)
    joined = join([3], {3: [raw]}, BUILDER, attempt=1, attempts=1)
    assert len(joined.lines) == 1
    decoded = msgspec.json.decode(msgspec.json.encode(joined.lines[0]), type=ResultLine)
    assert decoded.row == 3


# --- whose line it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (answered(), "job-3"),
        (b'{"response": {"custom_id": "x"}, "custom_id": "job-3"}', "job-3"),
        # 5: what is no JSON may still say whose it is
        (b'{"id": "r", "custom_id": "job-3", "response": {"status_code": 200, "body": {"choi', "job-3"),
        (b'{"custom_id" :  "job-3", NaN', "job-3"),
        (b'garbage "custom_id":"job-3" garbage', "job-3"),
        (b'{"custom_id":"job-\\"3", oops', 'job-\\"3'),
        (b'{"custom_id":"job-\xff", oops', "job-\ufffd"),
        (b"\xef\xbb\xbf" + answered(), "job-3"),
        # 6: or nobody's
        (b'{"response": null}', None),
        (b'{"custom_id": null}', None),
        (b'{"custom_id": 3}', None),
        (b'{"custom_id": ["job-3"]}', None),
        (b"[]", None),
        (b"", None),
        (b'{"custom_id": "job-', None),
        # valid JSON that names an id only somewhere inside names none
        (b'{"response": {"body": {"custom_id": "job-4"}}}', None),
    ],
)
def test_whose_line_it_is(raw: bytes, expected: str | None) -> None:
    assert owner(raw) == expected


@pytest.mark.parametrize("cut", [0, 3])
def test_an_answer_that_talks_about_a_custom_id_does_not_change_hands(cut: int) -> None:
    text = 'Write {"custom_id": "job-9"} or \\"custom_id\\": \\"job-8\\" into the file.'
    whole = json.dumps(
        {"response": {"status_code": 200, "body": chat(text)}, "custom_id": "job-3", "error": None}
    ).encode()
    raw = whole[: len(whole) - cut]
    assert owner(raw) == "job-3"


# --- joining ---------------------------------------------------------------------------------------------------


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
    return isinstance(found, Response) and not isinstance(BUILDER.parse(found), Failure)


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
    assert answer_columns(columns, answers) == named


NAMES = st.lists(st.sampled_from(["a", "a (2)", "a (3)", "b", "b (2)", ""]), max_size=6)


@given(NAMES, NAMES)
def test_no_two_columns_of_the_results_share_a_name(columns: list[str], answers: list[str]) -> None:
    columns = list(dict.fromkeys(columns))
    named = answer_columns(columns, answers)
    assert len(named) == len(answers)
    assert len({*columns, *named}) == len(columns) + len(answers)
    assert all(name.startswith(answer) for name, answer in zip(named, answers, strict=True))
