"""The prompt builder `passthrough`: complete requests are sent unchanged, bad ones fail their row."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from batchd import Failure, PromptBuilder, Response, Row
from batchd_prompts.passthrough import PassthroughBuilder, PassthroughSettings

BUILDER = PassthroughBuilder(PassthroughSettings())
GOOD = {
    "custom_id": "mine",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
}


def row(**changes: Any) -> Row:
    line = {**GOOD, **changes}
    return Row(0, tuple(line), tuple(line.values()))


def test_the_body_is_sent_unchanged():
    assert BUILDER.build(row()) == GOOD["body"]
    assert BUILDER.build(row(note="extra columns do not matter")) == GOOD["body"]


def test_the_body_overrides_the_route():
    (line,) = BUILDER.encode([row()], {"model": "small", "max_tokens": 1, "temperature": 0})
    assert msgspec.json.decode(line) == {**GOOD["body"], "temperature": 0}


def test_needs_the_columns_of_a_request():
    assert set(BUILDER.needs()) == {"custom_id", "body"}


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"custom_id": None}, "missing_required_parameter", "custom_id is missing"),
        ({"custom_id": ""}, "missing_required_parameter", "custom_id is empty"),
        ({"custom_id": 7}, "invalid_request", "custom_id is 7"),
        ({"custom_id": "x" * 257}, "string_above_max_length", "257"),
        ({"method": None}, "missing_required_parameter", "method is missing"),
        ({"method": "GET"}, "invalid_method", "method is “GET”"),
        ({"url": None}, "missing_required_parameter", "url is missing"),
        ({"url": "/v1/embeddings"}, "invalid_url", "url is “/v1/embeddings”, and must be “/v1/chat/completions” here"),
        ({"body": None}, "missing_required_parameter", "body is missing"),
        ({"body": [1]}, "invalid_request", "body is a list"),
        ({"body": '{"messages": []}'}, "invalid_request", "body is “{"),
        ({"body": {"messages": "\ud800"}}, "text", "half of a character"),
    ],
)
def test_a_line_that_is_not_a_request_fails_alone(changes, code, says):
    failure = BUILDER.build(row(**changes))
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == (code, False)
    assert says in failure.message
    lines = list(BUILDER.encode([row(**changes), row()], {}))
    assert lines[0] == failure
    assert isinstance(lines[1], bytes)


def test_columns_that_the_file_does_not_have_are_missing():
    failure = BUILDER.build(Row(0, ("custom_id", "body"), ("a", {"x": 1})))
    assert isinstance(failure, Failure)
    assert failure.message.startswith("method is missing")


def test_a_body_without_a_model_gets_the_routes():
    (line,) = BUILDER.encode([row(body={"messages": []})], {"model": "large"})
    assert msgspec.json.decode(line) == {"model": "large", "messages": []}


def test_another_endpoint_is_a_setting():
    one = PassthroughBuilder(PassthroughSettings(url="/v1/embeddings"))
    assert one.build(row(url="/v1/embeddings")) == GOOD["body"]
    assert (list(one.endpoints), list(BUILDER.endpoints)) == (["/v1/embeddings"], ["/v1/chat/completions"])
    with pytest.raises(ValidationError, match="is the path of an endpoint"):
        PassthroughSettings(url="https://api.example/v1/embeddings")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from(["\u2028", "\u2029", "\x85"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(["messages", "n", "stop", "\u2028"]), JSON, min_size=1)


@given(st.lists(BODIES, max_size=3), st.dictionaries(st.sampled_from(["model", "n", "temperature"]), JSON))
def test_encoding_many_gives_the_same_as_building_each(bodies, common):
    rows = [row(body=body) for body in bodies]
    lines = list(BUILDER.encode(rows, common))
    plain = list(PromptBuilder.encode(BUILDER, rows, common))
    assert [msgspec.json.decode(line) for line in lines] == [msgspec.json.decode(line) for line in plain]
    assert not any(b"\n" in line for line in lines)


@pytest.mark.parametrize(
    ("message", "answer"),
    [({"content": "Hi"}, "Hi"), ({"content": None, "tool_calls": [{"id": "x"}]}, ""), ({"content": ""}, "")],
)
def test_the_text_is_the_answer_if_there_is_one(message, answer):
    response = Response({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert BUILDER.parse(response) == {"answer": answer}
    assert list(BUILDER.columns) == ["answer"]


def test_embeddings_have_no_text():
    assert BUILDER.parse(Response({"data": [{"embedding": [0.1]}]})) == {"answer": ""}
