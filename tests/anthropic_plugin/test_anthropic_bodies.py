"""Requests in OpenAI's form become Anthropic's, or are refused in words; answers come back in OpenAI's form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchd import Response, read_output_line
from batchd_anthropic.answers import chat_completion, output_line
from batchd_anthropic.bodies import messages_request, translator
from batchd_anthropic.content import Untranslatable

HELLO = [{"role": "user", "content": "Hello."}]
PNG = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
LOOK = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "description": "Of five."}},
    "required": ["score"],
}


def translated(**body: Any) -> dict[str, Any]:
    """What goes out for a request, without what is in each."""
    made = messages_request({"model": "m", "messages": HELLO, **body}, max_tokens=4_096)
    assert made.pop("model") == "m"
    return made


def test_a_plain_request_keeps_what_it_says() -> None:
    made = translated(max_tokens=7, temperature=0.5, top_p=0.9, stop="END", user="u-1", n=1, seed=None, stream=False)
    assert made == {
        "messages": [{"role": "user", "content": "Hello."}],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
    }


def test_instructions_stand_apart_and_turns_of_one_side_become_one() -> None:
    made = translated(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "And kind.", "cache_control": {"type": "e"}}]},
            {"role": "user", "content": "Look."},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": PNG}}, {"type": "text", "text": ""}],
            },
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "nothing"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]},
        ]
    )
    assert made["system"] == [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "And kind.", "cache_control": {"type": "e"}},
    ]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    assert made["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "nothing"},
                {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
            ],
        },
    ]


def test_a_pdf_goes_out_as_a_document() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    [message] = translated(messages=[{"role": "user", "content": [file]}])["messages"]
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    assert message["content"] == [{"type": "document", "source": source, "title": "a.pdf"}]


def test_a_request_without_max_tokens_gets_those_of_the_settings() -> None:
    assert translated()["max_tokens"] == 4_096
    assert translated(max_completion_tokens=9)["max_tokens"] == 9


def test_a_schema_goes_out_without_the_bounds_that_the_service_refuses() -> None:
    made = translated(
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
        reasoning_effort="minimal",
    )
    score = {"type": "integer", "description": "Of five. (minimum: 1)"}
    schema = {
        "type": "object",
        "properties": {"score": score},
        "required": ["score"],
        "additionalProperties": False,
    }
    assert made["output_config"] == {"format": {"type": "json_schema", "schema": schema}, "effort": "low"}


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
    ],
)
def test_tools_and_the_choice_of_them(choice: Any, made: dict[str, str]) -> None:
    request = translated(tools=[LOOK], tool_choice=choice)
    assert request["tools"] == [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}]
    assert request["tool_choice"] == made
    assert translated(tools=[LOOK], parallel_tool_calls=False)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }


def test_what_is_anthropics_own_goes_out_as_it_is() -> None:
    own = {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "top_k": 5, "cache_control": {"type": "ephemeral"}}
    assert translated(**own).items() >= own.items()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens is 0, and Anthropic takes a whole number from 1 up"),
    ({"max_tokens": "9"}, "max_tokens is"),
    ({"temperature": 1.5}, "a number from 0 to 1"),
    ({"n": 2}, "n is 2, which has no counterpart"),
    ({"seed": 7}, "seed has no counterpart"),
    ({"logprobs": True}, "logprobs"),
    ({"frequency_penalty": 0.5}, "frequency_penalty"),
    ({"response_format": {"type": "json_object"}}, "has JSON only by a schema"),
    ({"response_format": {"type": "json_schema"}}, "response_format"),
    ({"stop": [" "]}, "stop is"),
    ({"audio": {}}, "audio has no counterpart at Anthropic. Remove it."),
    ({"tools": [{"type": "custom", "custom": {}}]}, 'one of the type "custom"'),
    ({"tool_choice": "sometimes", "tools": [LOOK]}, "tool_choice"),
    ({"metadata": {"batch": "1"}}, "metadata"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "system", "content": "Only this."}]}, "must be the user's"),
    ({"messages": [{"role": "user", "content": "  "}]}, "is empty"),
    ({"messages": [{"role": "function", "content": "x"}]}, 'the role "function"'),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 'the type "input_audio"'),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}]}, "an image"),
    ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}, "a file"),
    (
        {"messages": [*HELLO, {"role": "assistant", "tool_calls": [{"id": "1", "function": {"arguments": "["}}]}]},
        "tool",
    ),
]


@pytest.mark.parametrize(("body", "words"), REFUSED, ids=lambda value: json.dumps(value)[:50])
def test_what_has_no_counterpart_is_refused_in_words(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Untranslatable) as raised:
        translated(**body)
    assert words in str(raised.value)
    assert str(raised.value).endswith(".")
    assert len(str(raised.value)) < 300


def test_requests_that_are_anthropics_own_go_out_as_they_are() -> None:
    own = {"model": "m", "system": "Be brief.", "messages": HELLO, "top_k": 3, "max_tokens": 7}
    assert translator("/v1/messages", max_tokens=9)(own) == own
    assert translator("/v1/messages", max_tokens=9)({"messages": HELLO})["max_tokens"] == 9
    for wrong in ({**own, "stream": True}, {**own, "messages": []}, {**own, "max_tokens": 0}):
        with pytest.raises(Untranslatable):
            translator("/v1/messages", max_tokens=9)(wrong)


# --- back ----------------------------------------------------------------------------------------------------------


def message(stop: str = "end_turn", *content: dict[str, Any], **usage: int) -> dict[str, Any]:
    """An answer of the service."""
    return {
        "id": "msg_1",
        "type": "message",
        "model": "m",
        "content": list(content) or [{"type": "text", "text": "Good."}],
        "stop_reason": stop,
        "usage": {"input_tokens": 10, "output_tokens": 5, **usage},
    }


def test_an_answer_is_its_text_without_the_thinking() -> None:
    texts = ({"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Go"}, {"type": "text", "text": "od."})
    response = Response(chat_completion(message("end_turn", {"type": "redacted_thinking", "data": "x"}, *texts)))
    assert (response.text, response.thinking, response.finish_reason) == ("Good.", "hm", "stop")
    assert response.failure is None


def test_the_call_of_a_tool_is_one() -> None:
    used = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "Đẹp"}}
    response = Response(chat_completion(message("tool_use", used)))
    assert (response.finish_reason, list(response.tool_arguments)) == ("tool_calls", ['{"at": "Đẹp"}'])


@pytest.mark.field("answers")
@pytest.mark.parametrize(
    ("stop", "reason", "failure"),
    [
        ("end_turn", "stop", None),
        ("stop_sequence", "stop", None),
        ("max_tokens", "length", "length"),
        ("model_context_window_exceeded", "length", "length"),
        ("refusal", "content_filter", "content_filter"),
        ("pause_turn", "pause_turn", "pause_turn"),
    ],
)
def test_why_the_model_stopped(stop: str, reason: str, failure: str | None) -> None:
    response = Response(chat_completion(message(stop)))
    assert response.finish_reason == reason
    assert (response.failure.code if response.failure else None) == failure


@pytest.mark.field("money")
def test_what_a_cache_held_and_got_is_input() -> None:
    response = Response(chat_completion(message(cache_read_input_tokens=200, cache_creation_input_tokens=30)))
    usage = response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (240, 200, 5)
    assert response.body["usage"]["cache_creation_input_tokens"] == 30
    plain = Response(chat_completion(message())).usage
    assert plain is not None
    assert (plain.input_tokens, plain.cached_tokens, plain.output_tokens) == (10, 0, 5)


def result(**result: Any) -> Any:
    """What batchd makes of a result of the service."""
    line = output_line(json.dumps({"custom_id": "k3j9x2ab_job-1", "result": result}).encode(), "k3j9x2ab")
    assert line.endswith(b"\n")
    return read_output_line(line)


def test_a_result_is_an_output_line_of_its_row() -> None:
    read = result(type="succeeded", message=message())
    assert (read.custom_id, read.outcome.text) == ("job-1", "Good.")


@pytest.mark.field("answers")
@pytest.mark.parametrize(
    ("kind", "code", "transient"),
    [
        ("invalid_request_error", "invalid_request_error", False),
        ("not_found_error", "not_found_error", False),
        ("rate_limit_error", "rate_limit_error", True),
        ("api_error", "api_error", True),
        ("overloaded_error", "overloaded_error", True),
        ("new_error", "new_error", True),
    ],
)
def test_an_error_of_one_request(kind: str, code: str, transient: bool) -> None:
    error = {"type": "error", "request_id": "req_1", "error": {"type": kind, "message": "It is so."}}
    failure = result(type="errored", error=error).outcome
    assert (failure.code, failure.message, failure.transient) == (code, "It is so.", transient)


@pytest.mark.field("answers")
@pytest.mark.parametrize(("kind", "code"), [("expired", "batch_expired"), ("canceled", "batch_cancelled")])
def test_a_request_that_did_not_run_is_asked_again(kind: str, code: str) -> None:
    failure = result(type=kind).outcome
    assert (failure.code, failure.transient) == (code, True)


@pytest.mark.field("hostile services")
def test_a_result_that_cannot_be_read_is_asked_again_under_its_row() -> None:
    line = output_line(b'{"custom_id": "k3j9x2ab_job-1", "result": {"type": "succ', "k3j9x2ab")
    read = read_output_line(line)
    assert read is not None
    assert read.custom_id == "job-1"
    assert getattr(read.outcome, "transient", None) is True
    assert output_line(b"  ", "k3j9x2ab") == b""


def test_a_model_that_is_not_there_is_no_rows_fault() -> None:
    error = {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-9"}}
    failure = result(type="errored", error=error).outcome
    assert (failure.code, failure.message) == ("model_not_found", "The service does not know the model claude-9.")
