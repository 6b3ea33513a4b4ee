"""A response read in one way, whichever endpoint it came from and however odd its body is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.model import BatchPhase, Body, RequestId, Response, Row, Usage

CHAT: Body = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
COMPLETIONS: Body = {
    "object": "text_completion",
    "choices": [{"text": "Yes.", "index": 0, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3},
}
RESPONSES: Body = {
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Let me think."}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Ye", "annotations": []},
                {"type": "output_text", "text": "s.", "annotations": []},
            ],
        },
    ],
    "usage": {"input_tokens": 12, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}},
}
EMBEDDINGS: Body = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "usage": {"prompt_tokens": 12, "total_tokens": 12},
}
MODERATIONS: Body = {"id": "modr-1", "results": [{"flagged": False}]}


@pytest.mark.parametrize(
    ("body", "text", "finish_reason", "usage"),
    [
        (CHAT, "Yes.", "stop", Usage(12, 4, 3)),
        (COMPLETIONS, "Yes.", "length", Usage(12, 0, 3)),
        (RESPONSES, "Yes.", None, Usage(12, 4, 3)),
        (EMBEDDINGS, None, None, Usage(12, 0, 0)),
        (MODERATIONS, None, None, None),
        ({}, None, None, None),
    ],
    ids=["chat", "completions", "responses", "embeddings", "moderations", "empty"],
)
def test_every_endpoint(body: Body, text: str | None, finish_reason: str | None, usage: Usage | None) -> None:
    response = Response(body)
    assert (response.text, response.finish_reason, response.usage) == (text, finish_reason, usage)
    assert response.refusal is None


def chat(**message: Any) -> Body:
    """A chat completion with this message."""
    return {"choices": [{"message": {"role": "assistant"} | message, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (chat(content=None, tool_calls=[{"type": "function"}]), None),
        (chat(content=""), ""),
        (chat(), None),
        # Some services answer in pieces: thoughts first, then the text.
        (
            chat(content=[{"type": "thinking", "thinking": []}, {"type": "text", "text": "Ye"}, {"text": "s."}]),
            "Yes.",
        ),
        (chat(content=[]), None),
        (chat(content=[None, 5, {"type": "image"}]), None),
        ({"choices": [{"message": None}]}, None),
        ({"choices": ["yes"]}, None),
        ({"choices": "yes"}, None),
        ({"output": [{"content": [{"text": "Yes."}]}]}, "Yes."),
        ({"output": [{"type": "function_call", "arguments": "{}"}]}, None),
        ({"output": "yes"}, None),
    ],
)  # fmt: skip
def test_the_text(body: Body, text: str | None) -> None:
    assert Response(body).text == text


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (chat(content=None, refusal="I cannot."), "I cannot."),
        (chat(content="Yes.", refusal=None), None),
        (chat(content="Yes.", refusal=""), None),
        (
            {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}]},
            "I cannot.",
        ),
        (RESPONSES, None),
        (COMPLETIONS, None),
    ],
)
def test_a_refusal(body: Body, refusal: str | None) -> None:
    assert Response(body).refusal == refusal


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": None}, None),
        ({"status": "incomplete", "incomplete_details": {"reason": 5}}, None),
        ({"choices": [{"finish_reason": None}]}, None),
        ({"choices": [{"finish_reason": 5}]}, None),
    ],
)
def test_why_it_stopped(body: Body, reason: str | None) -> None:
    assert Response(body).finish_reason == reason


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, None),
        ({"prompt_tokens": -5, "completion_tokens": "7"}, None),
        ({"prompt_tokens": True, "completion_tokens": 2.5}, None),
        ({"prompt_tokens": 12.0, "completion_tokens": "7"}, Usage(12, 0, 7)),
        ({"prompt_tokens": 2**64, "completion_tokens": 7}, None),
        ({"prompt_tokens": 5, "prompt_tokens_details": "many"}, Usage(5, 0, 0)),
        ({"prompt_tokens": None, "input_tokens": 5}, Usage(5, 0, 0)),
        (None, None),
        ([5], None),
    ],
)
def test_odd_usage_is_read_or_not_known(usage: Any, expected: Usage | None) -> None:
    assert Response({"usage": usage}).usage == expected


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "content", "text", "type", "output", "usage", "refusal", "status", "finish_reason",
             "incomplete_details", "reason", "prompt_tokens", "prompt_tokens_details", "cached_tokens"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["choices", "output", "usage", "status", "incomplete_details"]), ODD))
def test_no_body_whatsoever_brings_the_reading_down(body: Body) -> None:
    response = Response(body)
    assert isinstance(response.text, str | None)
    assert isinstance(response.refusal, str | None)
    assert isinstance(response.finish_reason, str | None)
    assert isinstance(response.usage, Usage | None)


def test_usages_add_up() -> None:
    assert sum([Usage(1, 2, 3), Usage(10, 20, 30)], Usage()) == Usage(11, 22, 33)


def test_a_row_is_looked_into_by_column() -> None:
    row = Row(3, ["id", "text"], [7, "yes"])
    assert row["text"] == "yes"
    assert row.as_dict() == {"id": 7, "text": "yes"}
    with pytest.raises(KeyError, match="colour"):
        row["colour"]


def test_ended_phases() -> None:
    ended = {BatchPhase.COMPLETED, BatchPhase.FAILED, BatchPhase.EXPIRED, BatchPhase.CANCELLED}
    assert {phase for phase in BatchPhase if phase.ended} == ended


@given(st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz-", min_size=1, max_size=10), st.integers(0, 10**12))
def test_an_id_names_its_job_and_row(job: str, row: int) -> None:
    assert RequestId.read(str(RequestId(job, row))) == RequestId(job, row)
    assert str(RequestId(job, row)) == f"{RequestId.beginning(job)}{row}"


@given(st.text(max_size=20))
def test_an_id_that_is_ours_is_written_in_one_way_only(text: str) -> None:
    request = RequestId.read(text)
    assert request is None or str(request) == text


@pytest.mark.parametrize(
    "odd",
    ["", "job", "job-", "job-x", "job-01", "job-00", "job--", "job- 1", "job-+1", "job-1.0", "job-٣", "job-³", "job-1\n",
     "job-" + "9" * 10_000],
)  # fmt: skip
def test_ids_that_are_not_ours_name_no_row(odd: str) -> None:
    assert RequestId.read(odd) is None
