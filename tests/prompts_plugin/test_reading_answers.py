"""How the prompt `template` reads what models really write: JSON with words around it, values, calls of tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from batchd import Failure, Response
from batchd_prompts.template import TemplateBuilder, TemplateSettings

pytestmark = pytest.mark.field("answers")

SCHEMA = {
    "properties": {
        "label": {"type": "string", "enum": ["good", "bad"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
    }
}
GOOD = {"label": "good", "score": 4}


def builder(**settings: Any) -> TemplateBuilder:
    return TemplateBuilder(TemplateSettings.model_validate({"user": "x", **settings}))


def chat(content: Any, finish_reason: str | None = "stop", **message: Any) -> Response:
    return Response({"choices": [{"message": {"content": content, **message}, "finish_reason": finish_reason}]})


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "good", "score": 4}',
        ' {"score":4,"label":"good"}\n',
        '```\n{"label":"good","score":4}```\n',
        '\ufeff{"label": "good", "score": 4}',
        'Sure! {"label": "good", "score": 4} Anything else?',
        '```json\n{"label": "good", "score": 4}\n```',
        'Here it is:\n```json\n{"label": "good", "score": 4}\n```\nAs asked.',
        '[{"label": "good", "score": 4}]',
        '{"label": "good", "score": "4"}',
        '{"label": "good", "score": 4.0}',
        '{"answer": {"label": "good", "score": 4}}',
        '"{\\"label\\": \\"good\\", \\"score\\": 4}"',
        "{'label': 'good', 'score': 4}",
        '{"label": "good", "score": 4,}',
        'I thought {about it}. {"label": "good", "score": 4}',
        '{"label": "excellent", "score": 4}\n{"label": "good", "score": 4}',
        '{"label": "good", "score": 4}\n{"label": "good", "score": 4}',
        '<think>{"label": "bad", "score": 1}?</think>{"label": "good", "score": 4}',
    ],
)
def test_the_one_object_that_fits_is_read(text: str) -> None:
    one = builder(schema=SCHEMA)
    assert (one.columns, one.parse(chat(text))) == (("label", "score"), GOOD)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"label": "excellent", "score": 4}', '"excellent" is not one of'),
        ('{"label": "good", "score": "four"}', '"four" is not of type "integer"'),
        ('{"label": "good", "score": 9}', "9 is greater than the maximum of 5"),
        ('{"label": null, "score": 3}', "“label” does not fit the schema: null is not"),
        ('{"label": "good", "score": 4.5}', "4.5"),
        ('{"label": "good", "score": 4}{"label": "bad", "score": 4}', "2 different objects that fit"),
        ('{"label": "good"}', "it has no “score”"),
        ('{"label": "good", "score": 4, "mood": 1}', "it has “mood”, which the schema does not have"),
        ("{" * 50_000, "expected JSON"),
        ("[" * 5_000, "expected JSON"),
        ("Sure! Here you are.", "expected JSON"),
        ('{"label": "good"', "expected JSON"),
        ("[1]", "expected a JSON object"),
    ],
)
def test_what_does_not_fit_is_asked_again_with_the_reason(text: str, says: str) -> None:
    failure = builder(schema=SCHEMA).parse(chat(text))
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == ("unparsable", True)
    assert says in failure.message


WIDE = {
    "properties": {
        "flag": {"type": "boolean"},
        "share": {"type": "number"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
        "free": {"type": "string"},
    },
    "required": ["flag"],
    "$defs": {"tag": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"flag": "true"}, {"flag": True}),
        ({"flag": False, "share": "0.5"}, {"flag": False, "share": 0.5}),
        ({"flag": True, "note": 5}, {"flag": True, "note": "5"}),
        ({"flag": True, "note": None}, {"flag": True, "note": None}),
        ({"flag": True, "tags": ["1", 2.0]}, {"flag": True, "tags": [1, 2]}),
        ({"flag": True, "tags": "[1, 2]"}, {"flag": True, "tags": [1, 2]}),
        ({"flag": True, "free": None}, {"flag": True, "free": None}),
        ({"flag": True, "free": "007"}, {"flag": True, "free": "007"}),
    ],
)
def test_a_value_becomes_what_the_schema_wants_if_nothing_is_lost(written: Any, read: Any) -> None:
    nothing = dict.fromkeys(WIDE["properties"])
    assert builder(schema=WIDE).parse(chat(json.dumps(written))) == {**nothing, **read}


@pytest.mark.parametrize("written", [{"flag": 1}, {"flag": "yes"}, {"flag": True, "share": "1/2"}])
def test_no_value_is_guessed(written: Any) -> None:
    assert isinstance(builder(schema=WIDE).parse(chat(json.dumps(written))), Failure)


@pytest.mark.parametrize("form", [{"type": "strin"}, {"$ref": "http://127.0.0.1:9/schema.json"}])
def test_a_schema_that_is_none_is_refused_with_the_configuration(form: Any) -> None:
    with pytest.raises(ValidationError, match="not a valid JSON Schema"):
        builder(schema={"properties": {"label": form}})


def call(arguments: Any) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "label", "arguments": arguments}}


@pytest.mark.parametrize("arguments", [json.dumps(GOOD), GOOD])
@pytest.mark.parametrize("finish_reason", ["tool_calls", "stop", None])
def test_the_arguments_of_a_tool_call_are_the_answer(arguments: Any, finish_reason: str | None) -> None:
    response = chat(None, finish_reason, tool_calls=[call(arguments)])
    assert builder(schema=SCHEMA).parse(response) == GOOD
    assert builder(columns=["label", "score"], separator="|").parse(response) == GOOD
    assert builder(columns=["label"]).parse(response) == {"label": "good"}
    assert json.loads(builder().parse(response)["answer"]) == GOOD  # type: ignore[index]


@pytest.mark.parametrize(
    "message",
    [
        {"tool_calls": [call("{}"), call("{}")]},
        {"tool_calls": [call('{"label": ')]},
        {"tool_calls": [call('{"label": "excellent", "score": 4}')]},
        {"function_call": {"name": "label", "arguments": "none"}},
    ],
)
def test_calls_that_are_no_answer_are_never_asked_again(message: Any) -> None:
    failure = builder(schema=SCHEMA).parse(chat(None, "tool_calls", **message))
    assert isinstance(failure, Failure)
    assert not failure.transient


def test_thinking_is_kept_where_it_is_wanted() -> None:
    text = "<think>Hm.</think>\n\ngood"
    assert builder().parse(chat(text)) == {"answer": "good"}
    assert builder(keep_thinking=True).parse(chat(text)) == {"answer": text}


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        (["a", "b"], "ab"),
        ({"type": "text", "text": "a"}, "a"),
        (4, "4"),
        (False, "false"),
        ({"label": "good"}, '{"label": "good"}'),
        ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "a"}], "a"),
    ],
)
def test_contents_of_other_types_are_read(content: Any, answer: str) -> None:
    assert builder().parse(chat(content)) == {"answer": answer}


def test_pieces_are_read_out_of_a_fence() -> None:
    assert builder(columns=["a", "b"], separator="|").parse(chat("```\nx|y\n```")) == {"a": "x", "b": "y"}


def test_json_that_a_server_took_for_thinking_is_read() -> None:
    assert builder(schema=SCHEMA).parse(chat(f"<think>Hm. {json.dumps(GOOD)}")) == GOOD
    assert builder(schema=SCHEMA).parse(chat(None, reasoning_content=json.dumps(GOOD))) == GOOD
    failure = builder().parse(chat(None, reasoning_content="Hm."))
    assert isinstance(failure, Failure)
    assert (failure.code, "only its thinking" in failure.message) == ("no_text", True)
