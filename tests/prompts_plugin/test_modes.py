"""How a template asks for a schema, and the role of its system message: for services that refuse the usual ways."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from batchd import Response, Row
from batchd_prompts.template import TemplateBuilder, TemplateSettings

pytestmark = pytest.mark.field("route refusals")

SCHEMA = {"properties": {"mood": {"type": "string"}}}
ROW = Row(0, ("review",), ("Fine. <cell-0>",))


def builder(**settings: Any) -> TemplateBuilder:
    return TemplateBuilder(TemplateSettings.model_validate({"user": "Review: {{ review }}", **settings}))


def messages(**settings: Any) -> list[tuple[str, str]]:
    body = builder(**settings).build(ROW)
    assert isinstance(body, dict)
    return [(each["role"], each["content"]) for each in body["messages"]]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_system_message_has_the_role_that_was_asked_for(role: str) -> None:
    told = messages(system="Be brief.", system_role=role)
    assert told == [(role, "Be brief."), ("user", "Review: Fine. <cell-0>")]


def test_with_the_role_user_it_stands_before_the_question_in_one_message() -> None:
    assert messages(system="Be brief.", system_role="user") == [("user", "Be brief.\n\nReview: Fine. <cell-0>")]


@pytest.mark.parametrize(
    ("mode", "kind"), [("strict", "json_schema"), ("json_object", "json_object"), ("prompt", None)]
)
@pytest.mark.parametrize("system", [{}, {"system": "Be brief."}, {"system": "Be brief.", "system_role": "user"}])
def test_a_schema_is_asked_for_in_three_ways(mode: str, kind: str | None, system: dict[str, str]) -> None:
    made = builder(schema=SCHEMA, schema_mode=mode, **system)
    body = made.build(ROW)
    assert isinstance(body, dict)
    assert body.get("response_format", {}).get("type") == kind
    text = json.dumps(body["messages"])
    # JSON mode of most services requires the word in the prompt.
    assert ("JSON Schema" in text) == (mode != "strict")
    assert ("response_format" in made.sets) == (mode != "prompt")
    answer = Response({"choices": [{"message": {"content": '{"mood": "good"}'}, "finish_reason": "stop"}]})
    assert made.parse(answer) == {"mood": "good"}
    [encoded] = made.encode([ROW], {"model": "m"})
    assert isinstance(encoded, bytes)
    assert msgspec.json.decode(encoded) == {"model": "m", **body}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schema_mode": "prompt"}, "but no schema"),
        ({"system_role": "user"}, "but no system message"),
        ({"schema": SCHEMA, "schema_mode": "loose"}, "strict"),
        ({"system": "Hi.", "system_role": "assistant"}, "developer"),
    ],
)
def test_a_mode_that_says_nothing_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        builder(**settings)
