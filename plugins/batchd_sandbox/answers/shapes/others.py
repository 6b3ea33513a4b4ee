"""Shapes of other APIs that relays pass on as they are, of lines with another frame, and of usage in another place."""

from __future__ import annotations

import json
from typing import Any

from .form import Change, Record, Shape, message_of, of_body, text_of


def _tokens(body: Record, given: str, written: str) -> Record:
    """The usage under other names."""
    return {given: body["usage"]["prompt_tokens"], written: body["usage"]["completion_tokens"]}


def _converse(body: Record) -> Record:
    message = {"role": "assistant", "content": [{"text": text_of(body)}]}
    usage = _tokens(body, "inputTokens", "outputTokens")
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}


def _cohere(body: Record) -> Record:
    billed = _tokens(body, "input_tokens", "output_tokens")
    return {
        "message": {"role": "assistant", "content": [{"type": "text", "text": text_of(body)}]},
        "finish_reason": "COMPLETE",
        "usage": {"billed_units": billed, "tokens": {**billed, "input_tokens": billed["input_tokens"] + 500}},
    }


def _dashscope(body: Record) -> Record:
    output = {"text": text_of(body), "finish_reason": "stop"}
    return {"output": output, "usage": _tokens(body, "input_tokens", "output_tokens"), "request_id": "1"}


def _ollama(body: Record) -> Record:
    return {
        "response": text_of(body),
        "done": True,
        "done_reason": "stop",
        **_tokens(body, "prompt_eval_count", "eval_count"),
    }


def _llama_cpp(body: Record) -> Record:
    return {"content": text_of(body), "stop": True, **_tokens(body, "tokens_evaluated", "tokens_predicted")}


def _bare_message(body: Record) -> Record:
    content = [{"type": "text", "text": text_of(body)}]
    usage = _tokens(body, "input_tokens", "output_tokens")
    return {"role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage}


def _framed(write: Any) -> Change:
    """A change that replaces `response` and `error` of the line by what `write` makes of the body."""

    def change(record: Record, body: Record) -> None:
        del record["response"]
        del record["error"]
        record.update(write(body))

    return change


def _message_as(key: str, write: Any) -> Change:
    def change(record: Record, body: Record) -> None:
        [choice] = body["choices"]
        choice[key] = write(choice.pop("message"))

    return change


def _usage_at(put: Any) -> Change:
    def change(record: Record, body: Record) -> None:
        put(record, body, body.pop("usage"))

    return change


def _status_in_words(record: Record, body: Record) -> None:
    record["response"]["statusCode"] = "200 OK"
    del record["response"]["status_code"]


def _pieces_in_parts(record: Record, body: Record) -> None:
    message_of(body)["content"] = {"parts": [{"text": text_of(body)}]}


OTHERS = (
    of_body("converse", "Bedrock", "Bedrock's converse, passed on as it is", _converse),
    of_body("cohere", "Cohere", "Cohere's chat, with billed tokens beside counted ones", _cohere),
    of_body("dashscope", "DashScope", "DashScope's own output.text", _dashscope),
    of_body("ollama-generate", "Ollama", "Ollama's response and eval_count", _ollama),
    of_body("llama-cpp", "llama.cpp", "the content of /completion and tokens_predicted", _llama_cpp),
    of_body("message-without-type", "relays", "Anthropic's message without its type", _bare_message),
    of_body("body-in-list", "relays", "a list of one body", lambda body: [body]),
    Shape("record-is-body", "relays", "the line is the body and the custom_id", _framed(dict)),
    Shape(
        "body-in-record", "relays", "status_code and body, without a response",
        _framed(lambda b: {"status_code": 200, "body": b}),
    ),
    Shape(
        "result-in-record", "Anthropic", "result.message, as Anthropic frames it",
        _framed(lambda b: {"result": {"type": "succeeded", "message": {"type": "message", **_bare_message(b)}}}),
    ),
    Shape("status-in-words", "relays", 'statusCode is "200 OK"', _status_in_words),
    Shape("message-delta", "relays", "the message is called delta", _message_as("delta", lambda message: message)),
    Shape("message-list", "MiniMax", "messages, a list of them", _message_as("messages", lambda message: [message])),
    of_body(
        "choices-by-number", "relays", "the choices are an object with numbers as keys",
        lambda body: {**body, "choices": {"0": body["choices"][0]}},
    ),
    Shape("content-parts", "Gemini", "the content is an object with parts", _pieces_in_parts),
    Shape(
        "usage-as-text", "relays", "usage is a text of JSON",
        _usage_at(lambda record, body, usage: body.update(usage=json.dumps(usage))),
    ),
    Shape(
        "usage-in-choice", "Moonshot", "usage is in the choice",
        _usage_at(lambda record, body, usage: body["choices"][0].update(usage=usage)),
    ),
    Shape(
        "usage-in-x-groq", "Groq", "usage is in x_groq",
        _usage_at(lambda record, body, usage: body.update(x_groq={"usage": usage})),
    ),
    Shape(
        "usage-beside-body", "relays", "usage stands beside the body",
        _usage_at(lambda record, body, usage: record["response"].update(usage=usage)),
    ),
)  # fmt: skip
