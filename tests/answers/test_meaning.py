"""What an output line means: whose it is, an answer, or why there is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd import Result, read_output_line
from batchd.answers.meaning import outcome, owner, read_line
from batchd.model import Failure, Response

from .lines import SHAPES, answered, chat, failed, line, said


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
        st.sampled_from(
            ["custom_id", "response", "error", "status_code", "body", "choices", "code", "message", "content", "finish_reason", "text", "type", "usage", "prompt_tokens", "completion_tokens", "total_tokens", "output", "status", "incomplete_details", "reason", "tool_calls", "function", "arguments", "refusal", "data", "candidates", "parts", "audio", "transcript"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@pytest.mark.slow
def test_no_line_whatsoever_brings_the_reading_down(raw: bytes) -> None:
    reading = read_line(raw)
    assert isinstance(reading.outcome, Response | Failure)
    if isinstance(reading.outcome, Response):
        assert isinstance(reading.outcome.answer, str | None)
        assert isinstance(reading.outcome.thinking, str | None)
        assert isinstance(reading.outcome.tool_arguments, tuple)
    assert isinstance(owner(raw), str | None)
    assert isinstance(read_output_line(raw), Result | None)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A line whose frame is as it should be, with odd values at any place of its body."""
    odd = st.none() | st.booleans() | st.integers(-1, 2**70) | st.floats(allow_nan=False) | st.text(max_size=3)
    odd = (
        odd | st.lists(odd, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "content"]), odd, max_size=2)
    )
    message = {name: draw(odd) for name in ("content", "refusal", "tool_calls", "function_call", "audio", "reasoning")}
    choice = {"message": draw(st.just(message) | odd), "finish_reason": draw(odd), "error": draw(odd)}
    body = {"choices": draw(st.just([choice]) | odd), "usage": draw(odd), "status": draw(odd), "output": draw(odd)}
    body |= {"error": draw(odd), "incomplete_details": draw(odd), "candidates": draw(odd), "type": draw(odd)}
    return line({"status_code": 200, "body": body})


@given(bodies())
@pytest.mark.slow
def test_no_body_whatsoever_brings_the_reading_down(raw: bytes) -> None:
    reading = read_line(raw)
    if isinstance(reading.outcome, Response):
        assert isinstance(reading.outcome.answer, str | None)
        assert isinstance(reading.outcome.tool_arguments, tuple)


@pytest.mark.parametrize("content", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900])
def test_a_content_that_is_nested_without_end_is_no_text(content: str) -> None:
    raw = answered().replace(b'"yes"', content.encode())
    assert isinstance(read_line(raw).outcome, Response | Failure)


@pytest.mark.field("account refusals")
def test_an_error_in_a_success_is_a_refusal_which_may_be_the_accounts() -> None:
    raw = line({"status_code": 200, "body": {"error": {"code": "insufficient_quota", "message": "no"}}})
    assert read_line(raw).refused
    raw = line({"status_code": 200, "body": {"code": 1113, "msg": "您的账户已欠费"}})
    assert read_line(raw).refused


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


# --- for plugins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plugin_reads_a_line_as_the_daemon_does(shape: str) -> None:
    raw, _ = SHAPES[shape]
    result = read_output_line(raw)
    if owner(raw) is None:
        assert result is None
    else:
        assert result == Result("job-3", outcome(raw))


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbf" + answered() + b"\r\n", b" " + answered() + b" \n"])
def test_what_stands_around_a_line_in_a_file_does_not_matter(raw: bytes) -> None:
    assert read_output_line(raw) == Result("job-3", outcome(answered()))


@pytest.mark.parametrize("raw", [b"", b"\n", b"null", b'{"custom_id": 5}', b'{"response": {}}'])
def test_a_line_that_is_nobodys_is_no_result(raw: bytes) -> None:
    assert read_output_line(raw) is None
