"""The prompt builder `template`: the question, the columns that it needs, and how the answer is read."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

import batchd_prompts
from batchd import Failure, PromptBuilder, Response, Row
from batchd_prompts.embedding import EmbeddingBuilder
from batchd_prompts.passthrough import PassthroughBuilder
from batchd_prompts.rendering import Template
from batchd_prompts.template import TemplateBuilder, TemplateSettings


def builder(**settings: Any) -> TemplateBuilder:
    return TemplateBuilder(TemplateSettings.model_validate(settings))


def row(**cells: Any) -> Row:
    return Row(0, tuple(cells), tuple(cells.values()))


def question(template: str, one: Row) -> Any:
    """The text of the user message, or the Failure."""
    body = builder(user=template).build(one)
    return body if isinstance(body, Failure) else body["messages"][0]["content"]


def chat(text: str | None, finish_reason: str = "stop", **message: Any) -> Response:
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
    return Response({"choices": [choice]})


# --- asking ----------------------------------------------------------------------------------------------------


def test_the_texts_become_messages():
    one = builder(system="Label {{ kind }}s.", user="Review: {{ review }}")
    assert one.build(row(review="Good, {{ not again }}", kind="review")) == {
        "messages": [
            {"role": "system", "content": "Label reviews."},
            {"role": "user", "content": "Review: Good, {{ not again }}"},
        ]
    }
    assert builder(user="Hello").build(row(review="x")) == {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ text }}", "Good"),
        ('{{ row["Product name"] }}', "Jam"),
        ("{{ row.text }} {{ row['text'] }}", "Good Good"),
        ("{{ text|upper }}", "GOOD"),
        ("[{{ empty }}]", "[]"),
        ("[{{ empty|upper }}]", "[]"),
        ("[{{ row['empty'] }}]", "[]"),
        ("{% if empty %}yes{% else %}no{% endif %}", "no"),
        ("{{ number }} {{ price }} {{ flag }}", "3 1.5 true"),
        ("{{ tags }}", '["a","é"]'),
        ("{{ tags[1] }} {{ nested.a }}[{{ nested.b }}]", "é 1[]"),
        ("{% for tag in tags %}<{{ tag }}>{% endfor %}", "<a><é>"),
        ("{{ range }}-{{ dict }}-{{ loop }}", "5 km-Oxford-yes"),
        ("{{ note|default('none') }}", "none"),
        ("{% if note is defined %}{{ note }}{% else %}-{% endif %}", "-"),
        ("{% if row['note'] is defined %}{{ row['note'] }}{% else %}-{% endif %}", "-"),
        ("{% set x = text %}{{ x }}", "Good"),
        ("{{ đánh_giá }}", "tốt"),
        ("{% for name, value in row.items() %}{% if name == 'text' %}{{ value }}{% endif %}{% endfor %}", "Good"),
        ("a\n  {{- text -}}  \nb\n", "aGoodb"),
        ("{{ text }}\r\n{# said to nobody #}{% raw %}{{ x }}{% endraw %}", "Good\n{{ x }}"),
    ],
)
def test_fills_in(template, text):
    cells = {
        "text": "Good", "Product name": "Jam", "empty": None, "number": 3, "price": 1.5, "flag": True,
        "tags": ["a", "é"], "nested": {"a": 1, "b": None}, "range": "5 km", "dict": "Oxford", "loop": "yes",
        "đánh_giá": "tốt",
    }  # fmt: skip
    assert question(template, row(**cells)) == text


def test_the_whole_row_is_json():
    one = row(a="x", b=None, row=[1])
    assert question("{{ row }}", one) == '{"a":"x","b":"","row":[1]}'
    assert question("{{ row['row'] }}", one) == "[1]"


@pytest.mark.parametrize(
    ("template", "needs"),
    [
        ("{{ a }} {{ b }} {{ a }}", {"a", "b"}),
        ('{{ row["Product name"] }} {{ row.price }}', {"Product name", "price"}),
        ("{% if a %}{{ b|upper }}{% endif %}", {"a", "b"}),
        ("{{ a|default('x') }}{{ row['b']|d('x') }}{% if c is defined %}{{ c }}{% endif %}", set()),
        ("{% for x in row.items() %}{{ x }}{% endfor %}", set()),
        ("{{ row }}", set()),
        ("{% set x = a %}{{ x }}", {"a"}),
        ("{{ row[a] }}", {"a"}),
        ("Nothing", set()),
    ],
)
def test_knows_the_columns_it_needs(template, needs):
    assert set(builder(user=template).needs()) == needs
    assert set(builder(system=template, user="{{ z }}").needs()) == {*needs, "z"}


@pytest.mark.parametrize(
    ("template", "cells", "says"),
    [
        ("{{ text }}", {"other": "x"}, "“text”"),
        ("{{ text|upper }}", {"other": "x"}, "“text”"),
        ("{{ price|round }}", {"price": None}, "“price”"),
        ("{{ price / 0 }}", {"price": 1}, "division by zero"),
        ("{{ info.name }}", {"info": {"id": 1}}, "name"),
        ("{{ info.name }}{{ other }}", {"info": "x", "other": "y"}, "columns “info”, “other”"),
        ("{{ info.__class__ }}", {"info": "x"}, "“info”"),
        ("{{ info.append(1) }}", {"info": []}, "“info”"),
    ],
)
def test_a_row_that_cannot_fill_the_template_fails_alone(template, cells, says):
    one = builder(user=template)
    failure = one.build(row(**cells))
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == ("template", False)
    assert says in failure.message
    assert failure.message.startswith("The prompt ")
    assert failure.message.endswith(".")
    assert list(one.encode([row(**cells)], {})) == [failure]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ text }}", "half \ud83d"),
        ("{{ row['text'] }}", "half \ud83d"),
        ("{{ text }}", ["half \ud83d"]),
        ("{{ text|trim }}", "half \ud83d"),
        ("{{ text or 0 }}", ["half \ud83d"]),
    ],
)
def test_half_a_character_fails_its_row(template, value):
    one = builder(user=template)
    failure = one.build(row(text=value))
    assert isinstance(failure, Failure)
    assert failure.code == "text"
    first, second = one.encode([row(text=value), row(text="whole")], {})
    assert first == failure
    assert isinstance(second, bytes)


# --- fast is the same ------------------------------------------------------------------------------------------

COLUMNS = ("a", "B2", "đánh_giá", "range", "loop", "two words", "none_")
PARTS = st.sampled_from(
    [f"{{{{ {name} }}}}" for name in COLUMNS if " " not in name]
    + ['{{row["two words"]}}', "{{ row['a'] }}", "{{- a -}}", "{{ a -}}", "{{+ a }}", "{# note #}", "{#- note -#}"]
    + ["{% raw %}{{ a }}{% endraw %}", "\n", "\r\n", "  ", "{ }", "}}", "<cell-0>", "<cell-", "\u2028", '"', "\\"]
) | st.text(st.characters(codec="utf-8", exclude_characters="{"), max_size=5)
TEMPLATES = st.lists(PARTS, max_size=8).map("".join)
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.lists(CELLS, min_size=len(COLUMNS), max_size=len(COLUMNS)).map(lambda values: Row(0, COLUMNS, values))


@given(TEMPLATES, ROWS)
@example("{{ a }}\n", Row(0, COLUMNS, ["x"] * 7))
def test_filling_without_jinja_gives_the_same_as_jinja(source, one):
    template = Template(source)
    assert template.pieces is not None, "a template of only text and cells is filled without Jinja"
    assert template.render(one) == template.render_with_jinja(one)


BODIES = st.dictionaries(
    st.sampled_from(["model", "max_tokens", "stop", "messages", "<cell-0>"]),
    st.integers() | st.text(max_size=5) | st.sampled_from(["<cell-0>", "<cell-1>", "\u2029"]),
)


@given(TEMPLATES | st.none(), TEMPLATES, st.booleans(), st.lists(ROWS, max_size=3), BODIES)
@example("<cell-0>", "<cell-{{ a }}", False, [Row(0, COLUMNS, ["0>"] * 7)], {"stop": "<cell-0>"})
@example(None, "{{ a }}{{ a|upper }}", True, [Row(0, COLUMNS, ["x\u2028\u2029\x85é"] * 7)], {})
def test_encoding_many_gives_the_same_as_building_each(system, user, rich, rows, common):
    assume(user.strip())
    settings = {"user": user + ("{{ a|string|lower }}" if rich else ""), "schema": {"properties": {"x": {}}}}
    one = builder(**settings, **({} if system is None else {"system": system}))
    lines = list(one.encode(iter(rows), common))
    assert [msgspec.json.decode(line) for line in lines] == [
        msgspec.json.decode(line) for line in PromptBuilder.encode(one, iter(rows), common)
    ]
    assert not any(b"\n" in line for line in lines)


def test_encoding_reads_one_row_for_each_body():
    numbers = []

    def rows():
        for number in range(3):
            numbers.append(number)
            yield Row(number, ("a",), ["x"])

    bodies = builder(user="{{ a }}").encode(rows(), {})
    assert numbers == []
    next(bodies)
    assert numbers == [0]


def test_the_columns_may_change_between_rows():
    one = builder(user="{{ a }}")
    rows = [
        Row(0, ("a", "b"), ["1", "2"]),
        Row(1, ("b", "a"), ["1", "2"]),
        Row(2, ("b",), ["1"]),
        Row(3, ("a",), ["3"]),
    ]
    contents = [
        line.code if isinstance(line, Failure) else msgspec.json.decode(line)["messages"][0]["content"]
        for line in one.encode(rows, {})
    ]
    assert contents == ["1", "2", "template", "3"]


# --- reading the answer ----------------------------------------------------------------------------------------


def test_by_default_the_text_is_the_answer():
    one = builder(user="x")
    assert one.columns == ("answer",)
    assert one.parse(chat(" as | it is\n")) == {"answer": " as | it is\n"}
    assert builder(user="x", columns=["label"]).parse(chat("a")) == {"label": "a"}


def test_lines_may_be_the_pieces():
    one = builder(user="x", columns=["a", "b"], separator="\n")
    assert one.parse(chat("\nPOS\n on time\n")) == {"a": "POS", "b": "on time"}


def test_pieces_become_columns():
    one = builder(user="x", columns=["a", "b", "c"], separator="|")
    assert one.columns == ("a", "b", "c")
    assert one.parse(chat("\n POS | on time|  \n")) == {"a": "POS", "b": "on time", "c": ""}


@pytest.mark.parametrize(("text", "pieces"), [("POS|x", 2), ("POS", 1), ("a|b|c|d", 4)])
def test_the_wrong_number_of_pieces_is_retried(text, pieces):
    failure = builder(user="x", columns=["a", "b", "c"], separator="|").parse(chat(text))
    assert failure == Failure(
        "unparsable",
        f"The answer could not be read: expected 3 pieces separated by '|', got {pieces}: '{text}'.",
        transient=True,
    )


def test_only_the_beginning_of_a_long_answer_is_quoted():
    failure = builder(user="x", columns=["a", "b"], separator="|").parse(chat("x" * 100_000))
    assert isinstance(failure, Failure)
    assert len(failure.message) < 400


SCHEMA = {"properties": {"label": {"type": "string"}, "scores": {"type": "array", "items": {"type": "integer"}}}}


def test_properties_that_are_not_required_may_be_missing():
    one = builder(user="x", schema={**SCHEMA, "required": ["label"]})
    assert one.parse(chat('{"label":"a"}')) == {"label": "a", "scores": None}


def test_the_schema_is_completed_for_strict_mode():
    schema = {
        "properties": {
            "who": {"type": "object", "properties": {"name": {}}},
            "all": {"type": "array", "items": {"anyOf": [{"properties": {"x": {}}}, {"$ref": "#/$defs/y"}]}},
            "free": {"type": "object", "properties": {"z": {}}, "required": [], "additionalProperties": True},
        },
        "$defs": {"y": {"properties": {"properties": {"type": "string"}}}},
    }
    body = builder(user="x", schema=schema).build(row())
    assert isinstance(body, dict)
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["strict"] is True
    closed = {"additionalProperties": False}
    assert body["response_format"]["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "who": {"type": "object", "properties": {"name": {}}, "required": ["name"], **closed},
            "all": {
                "type": "array",
                "items": {"anyOf": [{"properties": {"x": {}}, "required": ["x"], **closed}, {"$ref": "#/$defs/y"}]},
            },
            "free": schema["properties"]["free"],
        },
        "$defs": {"y": {"properties": {"properties": {"type": "string"}}, "required": ["properties"], **closed}},
        "required": ["who", "all", "free"],
        **closed,
    }


@pytest.mark.parametrize(
    ("response", "code", "transient", "says"),
    [
        (chat("POS|o", "length"), "length", False, "raise max_tokens"),
        (chat(None, "length"), "length", False, "[routes.NAME.params]"),
        (chat("x", "content_filter"), "content_filter", False, "content filter"),
        (chat(None, refusal="I cannot help."), "refusal", False, "'I cannot help.'"),
        (chat(None), "no_text", True, "without any text"),
        (chat(" \n"), "no_text", True, "without any text"),
        (
            Response({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}),
            "length", False, "cut off at max_tokens",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [{}, {"columns": ["a", "b"], "separator": "|"}, {"schema": SCHEMA}])
def test_responses_without_an_answer(form, response, code, transient, says):
    failure = builder(user="x", **form).parse(response)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == (code, transient)
    assert says in failure.message
    assert failure.message.endswith(".")


# --- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"user": " \n"}, "The prompt is empty."),
        ({"user": "a\n{{ product name }}"}, 'Line 2 of the template is not understood: .*row\\["the name"\\]'),
        ({"user": "{% if a %}"}, "Line 1 of the template is not understood"),
        ({"user": "{{ a|shorten }}"}, "No filter named 'shorten'"),
        ({"user": "x", "system": "{{ }}"}, "Line 1 of the template"),
        ({"user": "{% include 'secret' %}"}, "refers to another template"),
        ({"user": "{% for n in range(3) %}{% endfor %}"}, r"calls range\(\)"),
        ({"user": "{{ self }}"}, r'row\["self"\]'),
        ({"user": "x", "columns": []}, "The list of columns is empty."),
        ({"user": "x", "columns": ["a", " "], "separator": "|"}, "empty name"),
        ({"user": "x", "columns": ["a", "b", "a"], "separator": "|"}, "“a” is listed twice"),
        ({"user": "x", "columns": ["a", "b"]}, "must be split into pieces"),
        ({"user": "x", "columns": ["a", "b"], "separator": ""}, "The separator is empty."),
        ({"user": "x", "columns": ["a"], "separator": "|"}, "needs two columns or more"),
        ({"user": "x", "separator": "|"}, "needs two columns or more"),
        ({"user": "x", "separator": "|", "schema": SCHEMA}, "both a separator and a schema"),
        ({"user": "x", "columns": ["a"], "schema": SCHEMA}, "Remove columns, or the schema"),
        ({"user": "x", "schema": {}}, "The schema has no properties."),
        ({"user": "x", "schema": {"type": "array", "items": {}}}, "must describe an object"),
        ({"user": "x", "schema": {"properties": {"": {}}}}, "empty name"),
        ({"user": "x", "schema": {"properties": {"a": "integer"}}}, "must be a table"),
        ({"user": "x", "schema": {"properties": {"a": {}}, "required": ["b"]}}, "its own properties"),
        ({"user": "x", "example": "y"}, "Extra inputs are not permitted"),
    ],
)
def test_contradictory_settings_are_refused(settings, says):
    with pytest.raises(ValidationError, match=says) as refusal:
        TemplateSettings.model_validate(settings)
    (error,) = refusal.value.errors()
    if error["type"] == "value_error":
        assert str(error["ctx"]["error"]).endswith(".")


@pytest.mark.slow
def test_offers_its_builders_without_importing_jinja():
    builders: dict[str, object] = {}
    batchd_prompts.register_prompt_builders(register=builders.__setitem__)
    assert builders == {"template": TemplateBuilder, "embedding": EmbeddingBuilder, "passthrough": PassthroughBuilder}
    code = (
        "import sys, batchd_prompts\nprint(sorted({'pydantic', 'jinja2'} & set(sys.modules)))\n"
        "batchd_prompts.register_prompt_builders(lambda kind, factory: None)\nprint('jinja2' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "[]\nFalse\n"
