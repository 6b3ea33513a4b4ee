"""The forms of a question and of its answer: joined cells, several messages, examples, a regular expression, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from batchd import Failure, Response, Row
from batchd_prompts.examples import MAX_BYTES, read_examples
from batchd_prompts.template import TemplateBuilder, TemplateSettings

pytestmark = pytest.mark.field("questions")

ROW = Row(0, ("title", "text"), ("Jam <cell-0>", "Good {{ x }}"))
SCHEMA = {"properties": {"mood": {"enum": ["good", "bad"]}, "stars": {"type": "integer"}}}


def builder(**settings: Any) -> TemplateBuilder:
    return TemplateBuilder(TemplateSettings.model_validate(settings))


def asked(one: TemplateBuilder, row: Row = ROW) -> list[tuple[str, str]]:
    """The messages, which are the same encoded as built."""
    body = one.build(row)
    assert isinstance(body, dict), body
    [line] = one.encode([row], {"model": "m"})
    assert isinstance(line, bytes)
    assert msgspec.json.decode(line) == {"model": "m", **body}
    return [(each["role"], each["content"]) for each in body["messages"]]


def said(text: str) -> Response:
    return Response({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})


def test_cells_are_joined_without_a_template() -> None:
    one = builder(input=["title", "text"], input_separator=" {% raw %}\n", system="About {{ title }}.")
    assert asked(one) == [("system", "About Jam <cell-0>."), ("user", "Jam <cell-0> {% raw %}\nGood {{ x }}")]
    assert list(one.needs()) == ["title", "text"]
    assert asked(builder(input=["a"]), Row(0, ("a",), (None,))) == [("user", "")]
    missing = builder(input=["gone"]).build(ROW)
    assert isinstance(missing, Failure)
    assert "“gone”" in missing.message


def test_several_messages() -> None:
    talk = [
        {"role": "developer", "content": "Rate {{ title }}."},
        {"role": "user", "content": "Bad?"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "{{ text|upper }}"},
    ]
    rated = [("developer", "Rate Jam <cell-0>."), ("user", "Bad?"), ("assistant", "No."), ("user", "GOOD {{ X }}")]
    assert asked(builder(messages=talk)) == rated
    told = asked(builder(messages=talk, schema=SCHEMA, schema_mode="prompt"))
    assert "JSON Schema" in told[0][1]
    assert told[1:] == rated[1:]


EXAMPLES: list[dict[str, Any]] = [
    {"title": "Tea", "text": "Fine.", "mood": "good", "stars": "4"},
    {"title": "Ink", "text": "Dry.", "mood": "bad", "stars": "1"},
]


def test_examples_stand_before_the_question() -> None:
    one = builder(system="Rate.", user="{{ text }}", schema=SCHEMA, examples=EXAMPLES)
    assert asked(one) == [
        ("system", "Rate."),
        ("user", "Fine."),
        ("assistant", '{"mood": "good", "stars": 4}'),
        ("user", "Dry."),
        ("assistant", '{"mood": "bad", "stars": 1}'),
        ("user", "Good {{ x }}"),
    ]
    other = builder(system="Rate.", system_role="user", user="{{ text }}", columns=["mood", "stars"], separator="|",
                    examples=EXAMPLES)  # fmt: skip
    assert asked(other)[:3] == [("user", "Rate.\n\nFine."), ("assistant", "good|4"), ("user", "Dry.")]
    whole = [{"text": "Fine.", "answer": "It is good: 4"}]
    assert asked(builder(user="{{ text }}", regex=r"(?P<mood>good|bad): (?P<stars>\d)", examples=whole))[1][1] == (
        "It is good: 4"
    )
    assert asked(builder(user="{{ text }}", examples=whole))[1] == ("assistant", "It is good: 4")


def test_examples_from_files(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_bytes('\ufefftext;mood\r\n"Fine;\nreally";good\r\n\r\nDry;bad\r\n'.encode())
    assert read_examples(table) == [{"text": "Fine;\nreally", "mood": "good"}, {"text": "Dry", "mood": "bad"}]
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"text": "Fine", "stars": 4}\n\n')
    assert read_examples(lines) == [{"text": "Fine", "stars": 4}]
    faults = {
        "text,mood\na\n": "has 1 cells",
        "text,mood\n": "has no row",
        "": "not a table",
        "a\n" + "x" * MAX_BYTES: "more than 65,536 bytes",
        "a\n" + "x\n" * 101: "may have 100",
    }
    for content, words in faults.items():
        table.write_text(content)
        with pytest.raises(ValueError, match=words):
            read_examples(table)
    table.write_bytes(b"text\n\xe9t\xe9\n")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_examples(table)
    lines.write_text("[1]\n")
    with pytest.raises(ValueError, match="Line 1"):
        read_examples(lines)
    with pytest.raises(ValueError, match="No such file"):
        read_examples(tmp_path / "gone.csv")


def test_named_groups_become_columns() -> None:
    one = builder(user="x", regex=r"(?i)score:\s*(?P<score>\d+)(?: because (?P<why>.+))?")
    assert one.columns == ("score", "why")
    assert one.parse(said("I think: Score: 4 because it is late \n")) == {"score": "4", "why": "it is late"}
    assert one.parse(said("score:5")) == {"score": "5", "why": None}
    failure = one.parse(said("five"))
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == ("unparsable", True)
    assert "does not match" in failure.correction


def test_json_of_any_form() -> None:
    one = builder(user="x", json=True)
    for text, value in {
        '[1, {"a": 2}]': [1, {"a": 2}],
        'Sure:\n```json\n{"a": [1]}\n```': {"a": [1]},
        'Here: {"a": 1,} ok': {"a": 1},
        'First {"a": 1} and again {"a": 1}': {"a": 1},
    }.items():
        assert one.parse(said(text)) == {"answer": value}, text
    several = builder(user="x", json=True, columns=["a", "b"])
    assert several.parse(said('x {"b": 1, "a": [2], "c": 3}')) == {"a": [2], "b": 1}
    for made, text, words in (
        (one, "none", "expected JSON"),
        (one, '{"a": 1} or {"a": 2}', "2 JSON values"),
        (several, '{"a": 1}', "with “a”, “b”"),
    ):
        failure = made.parse(said(text))
        assert isinstance(failure, Failure)
        assert words in failure.correction, text


def test_an_answer_is_kept_in_a_column_of_its_own() -> None:
    one = builder(user="x", schema=SCHEMA, keep_answer="said")
    assert one.columns == ("mood", "stars", "said")
    text = '<think>Hm.</think>{"mood": "good", "stars": 4}'
    assert one.parse(said(text)) == {"mood": "good", "stars": 4, "said": text}
    failure = one.parse(said("lovely"))
    assert isinstance(failure, Failure)
    assert failure.answer == {"said": "lovely"}


def test_what_does_not_go_together_is_refused() -> None:
    talk = [{"role": "user", "content": "x"}]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "There is no question"),
        ({"user": "x", "input": ["a"]}, "both user and input"),
        ({"messages": talk, "system": "y"}, "both system and messages"),
        ({"messages": []}, "last of the messages"),
        ({"messages": [*talk, {"role": "assistant", "content": "{"}]}, "last of the messages"),
        ({"messages": [{"role": "user", "content": "{{ }}"}]}, "Line 1 of the template"),
        ({"user": "x", "regex": "(a)"}, "no named group"),
        ({"user": "x", "regex": "(?P<a>"}, "not valid"),
        ({"user": "x", "regex": "(?P<a>b)", "json": True}, "both regex and json"),
        ({"user": "x", "regex": "(?P<a>b)", "columns": ["a"]}, "Remove columns, or the regex"),
        ({"user": "x", "keep_answer": "answer"}, "a column already"),
        ({"user": "{{ text }}", "schema": SCHEMA, "examples": [{"text": "a"}]}, "Example 1 has no answer"),
        ({"user": "{{ text }}", "examples": [{"answer": "a"}]}, "Example 1 cannot be shown"),
        (
            {"user": "{{ text }}", "schema": SCHEMA, "examples": [{"text": "a", "answer": '{"mood": "x"}'}]},
            "answer of example 1 could not be read",
        ),
    ]
    for settings, words in wrong:
        with pytest.raises(ValidationError, match=words):
            TemplateSettings.model_validate(settings)


def test_the_settings_can_be_stored() -> None:
    written = {"user": "{{ text }}", "json": True, "examples": [{"text": "a", "answer": "[1]"}]}
    dumped = TemplateSettings.model_validate(written).model_dump(exclude_defaults=True)
    assert json.loads(json.dumps(dumped)) == written
