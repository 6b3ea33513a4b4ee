"""The quick way to read an output line says what the general one says, or nothing."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import astuple
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchd.answers.meaning import _of_record, outcome, read_line
from batchd.answers.usual_lines import UsualResponse, usual_response
from batchd.answers.usual_texts import usual_text
from batchd.model import Failure, Response, Usage

from .lines import SHAPES

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
}


def line(
    content: Any = "yes", *, usage: Any = USAGE, status: Any = 200, message: Any = None, choice: Any = None, **more: Any
) -> bytes:
    """A line as OpenAI writes it, but for what is given."""
    said = {"role": "assistant", "content": content, "refusal": None, **(message or {})}
    choices = [{"index": 0, "message": said, "finish_reason": "stop", "logprobs": None, **(choice or {})}]
    body = {"id": "chatcmpl-1", "object": "chat.completion", "choices": choices, "usage": usage, **more}
    response = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"id": "b", "custom_id": "job-3", "response": response, "error": None}).encode()


def what_is_said(response: Response) -> tuple[object, ...]:
    """All that anybody can ask of a response."""
    return (
        response.text,
        response.refusal,
        response.finish_reason,
        response.failure,
        response.answer,
        response.thinking if type(response) is Response else Response(response.body).thinking,
        response.tool_arguments,
        response.counted,
        response.usage,
        response.status_code,
        response.body,
    )


def test_the_usual_line_is_read_quickly() -> None:
    read = outcome(line("Đẹp 👍🏽\u2028."))
    assert type(read) is UsualResponse
    assert (read.text, read.refusal, read.finish_reason) == ("Đẹp 👍🏽\u2028.", None, "stop")
    assert read.usage == Usage(12, 4, 5)
    assert read.body["id"] == "chatcmpl-1"
    assert read == outcome(line("Đẹp 👍🏽\u2028."))
    assert what_is_said(copy.deepcopy(read)) == what_is_said(pickle.loads(pickle.dumps(read))) == what_is_said(read)


@pytest.mark.parametrize(
    "raw",
    [
        line(None),
        line([{"type": "text", "text": "yes"}]),
        line(message={"refusal": "I would rather not."}),
        line(usage=None),
        line(message={"tool_calls": [{"function": {"arguments": "{}"}}]}),
        line(status=429),
        line(status="200"),
        line(choice={"finish_reason": 5}),
        line(choices=[]),
        line("yes").replace(b"chatcmpl", b"\xff\xfe"),
        line("yes").replace(b"null", b"NaN", 1),
        line("yes")[:-1],
    ],
)
def test_what_is_in_any_way_different_is_left_to_the_general_way(raw: bytes) -> None:
    assert usual_response(raw) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(USAGE)), inner, max_size=2),
    max_leaves=4,
)
TOKENS = st.integers(-1, 9) | JSON
LINES = st.builds(
    line,
    content=st.text(max_size=9) | JSON,
    usage=st.fixed_dictionaries(
        {},
        optional={
            "prompt_tokens": TOKENS,
            "completion_tokens": TOKENS,
            "total_tokens": TOKENS,
            "prompt_cache_hit_tokens": TOKENS,
            "cache_read_input_tokens": TOKENS,
            "input_tokens": TOKENS,
            "output_tokens": TOKENS,
            "prompt_tokens_details": st.fixed_dictionaries({}, optional={"cached_tokens": TOKENS}) | JSON,
            "input_tokens_details": st.fixed_dictionaries({}, optional={"cached_tokens": TOKENS}) | JSON,
        },
    )
    | JSON,
    status=st.just(200) | JSON,
    message=st.fixed_dictionaries({}, optional={"refusal": JSON, "tool_calls": JSON}),
    choice=st.fixed_dictionaries({}, optional={"finish_reason": st.just("length") | JSON, "text": JSON}),
)


@pytest.mark.slow
@given(LINES)
@example(line(usage={**USAGE, "prompt_tokens_details": {"cached_tokens": None}}))
@example(line("", error={"code": "x"}))
@example(line(usage={"prompt_tokens": 0, "input_tokens_details": {}, "prompt_tokens_details": {}, "output_tokens": 0}))
def test_both_ways_say_the_same(raw: bytes) -> None:
    quick = usual_response(raw)
    if quick is None:
        return
    slow = _of_record(msgspec.json.decode(raw), raw).outcome
    assert not isinstance(slow, Failure)
    assert what_is_said(quick) == what_is_said(slow)


@given(LINES)
@example(line())
@example(line("Đẹp", usage={**USAGE, "total_tokens": 18}))
def test_a_text_that_is_read_quickly_is_the_text(raw: bytes) -> None:
    text = usual_text(raw)
    if text is not None:
        reading = read_line(raw)
        assert isinstance(reading.outcome, Response)
        assert (reading.line, reading.failure) == (raw, None)
        assert reading.billed is not None
        assert text == (reading.outcome.text, astuple(reading.billed)[:3])
        assert not any(astuple(reading.billed)[3:])


SAID = {
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "annotations": [], "text": "yes"}],
}
TOKENS = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 17,
}


def responses_line(*output: Any, usage: Any = TOKENS, **more: Any) -> bytes:
    """A line of /v1/responses as OpenAI writes it, but for what is given."""
    body = {
        "id": "r",
        "object": "response",
        "status": "completed",
        "error": None,
        "output": output or [SAID],
        "usage": usage,
        **more,
    }
    response = {"status_code": 200, "request_id": "r", "body": body}
    return json.dumps({"id": "b", "custom_id": "job-3", "response": response, "error": None}).encode()


def said(*content: Any, **more: Any) -> dict[str, Any]:
    return {**SAID, "content": list(content), **more}


PIECE = SAID["content"][0]  # type: ignore[index]
QUICK = {
    "usual": responses_line(),
    "behind thinking": responses_line({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, SAID),
    "two pieces": responses_line(said(PIECE, {**PIECE, "text": "<think>x</think> no"})),
    "two messages": responses_line(SAID, said({**PIECE, "text": "Đẹp 👍🏽\u2028."})),
    "with what was asked": responses_line(
        temperature=0, tools=[], text={"format": {"type": "text"}}, metadata={"a": "b"}
    ),
    "without details": responses_line(usage={"input_tokens": 12, "output_tokens": 5}),
}
NOT_QUICK = {
    "refused": responses_line(said({"type": "refusal", "refusal": "No."}, PIECE)),
    "a call": responses_line(SAID, {"type": "function_call", "name": "f", "arguments": "{}"}),
    "cut off": responses_line(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
    "failed": responses_line(error={"code": "server_error", "message": "x"}),
    "a message in work": responses_line(said(PIECE, status="in_progress")),
    "nothing": responses_line(said({**PIECE, "text": ""})),
    "a choice as well": responses_line(choices=[{"message": {"content": "no"}, "finish_reason": "stop"}]),
    "a word for the end": responses_line(finish_reason="length"),
    "tokens that do not add up": responses_line(usage={**TOKENS, "total_tokens": 99}),
    "more cached than given": responses_line(usage={**TOKENS, "input_tokens_details": {"cached_tokens": 13}}),
    "other tokens": responses_line(usage={**TOKENS, "cache_creation_input_tokens": 7}),
    "no tokens": responses_line(usage=None),
}


def test_an_answer_of_responses_is_read_quickly_where_nothing_is_odd() -> None:
    faults = [name for name, raw in NOT_QUICK.items() if usual_text(raw) is not None]
    for name, raw in QUICK.items():
        reading = read_line(raw)
        assert isinstance(reading.outcome, Response)
        assert reading.billed is not None
        slow = (reading.outcome.text, astuple(reading.billed)[:3])
        if reading.failure or usual_text(raw) != slow:
            faults.append(f"{name}: {usual_text(raw)}, and not {slow}")
    assert not faults, "\n".join(faults)


def test_of_every_kind_of_line_the_usual_text_is_the_text() -> None:
    faults = []
    for name, (raw, _) in SHAPES.items():
        text, reading = usual_text(raw), read_line(raw)
        if text is not None and (reading.failure or text[0] != getattr(reading.outcome, "text", None)):
            faults.append(f"{name}: {text!r}, and not {reading.outcome!r}")
    assert not faults, "\n".join(faults)
    assert usual_text(line()) == ("yes", (12, 4, 5))
