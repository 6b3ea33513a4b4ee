"""Shapes of answers to requests with a JSON schema, and of tool calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .form import Change, Record, Shape, content, message_of


def _fields(**values: Any) -> Callable[[str], Any]:
    """The object with these values in place of its own."""
    return lambda text: json.dumps(json.loads(text) | values)


def _json(name: str, seen: str, summary: str, write: Callable[[str], Any]) -> Shape:
    return Shape(f"json-{name}", seen, summary, content(write), asks="json")


def _calls(number: int, *, words: str | None = None, as_object: bool = False) -> Change:
    def change(record: Record, body: Record) -> None:
        message = message_of(body)
        arguments: Any = {"label": "good", "score": 4}
        if not as_object:
            arguments = json.dumps(arguments)
        function = {"name": "label", "arguments": arguments}
        message["tool_calls"] = [
            {"id": f"call_{each}", "type": "function", "function": function} for each in range(number)
        ]
        message["content"] = words
        body["choices"][0]["finish_reason"] = "tool_calls"

    return change


def _old_call(record: Record, body: Record) -> None:
    message_of(body).update(content=None, function_call={"name": "label", "arguments": '{"label": "good", "score": 4}'})
    body["choices"][0]["finish_reason"] = "function_call"


def _in_reasoning(record: Record, body: Record) -> None:
    message = message_of(body)
    message.update(reasoning_content=message["content"], content=None)


JSON_TEXTS = (
    _json("plain", "OpenAI", "the object alone", lambda t: t),
    _json("fence", "many", "in a code fence", lambda t: f"```json\n{t}\n```"),
    _json("words", "many", "words before and after it", lambda t: f"Sure, here it is: {t} Anything else?"),
    _json("words-fence", "many", "words around a code fence", lambda t: f"Here it is:\n```json\n{t}\n```\nAs asked."),
    _json("mark", "relays", "a byte order mark before it", lambda t: f"\ufeff{t}"),
    _json("list-of-one", "many", "in a list of one", lambda t: f"[{t}]"),
    _json("as-text", "relays", "as a text of JSON", json.dumps),
    _json("as-object", "relays", "the content is the object itself", json.loads),
    _json("wrapped", "some", "under one key of its own", lambda t: f'{{"answer": {t}}}'),
    _json("comma", "small models", "a comma too many", lambda t: t[:-1] + ",}"),
    _json("single-quotes", "small models", "in quotes of the other kind", lambda t: repr(json.loads(t))),
    _json(
        "thinking", "DeepSeek-R1", "a draft in a block of thinking before it",
        lambda t: f'<think>{{"label": "?"}}</think>{t}',
    ),
    Shape(
        "json-in-reasoning", "vLLM, SGLang", "in reasoning_content, and the content is null",
        _in_reasoning,
        asks="json",
    ),
    _json("number-as-text", "many", "a number as text", _fields(score="4")),
    _json("fraction", "some", "4.0 for 4", _fields(score=4.0)),
    _json("wrong-word", "many", "a word that the schema does not have", _fields(label="excellent")),
    _json("wrong-number", "many", "a number that the schema forbids", _fields(score=9)),
    _json("null", "many", "null for a value that is required", _fields(label=None)),
    _json("cut", "many", "cut off, though it says stop", lambda t: t[: len(t) // 2]),
    Shape("tool-call", "many", "one call of a tool", _calls(1), asks="tools"),
    Shape(
        "tool-call-words", "many", "words beside one call of a tool",
        _calls(1, words="Let me label that."),
        asks="tools",
    ),
    Shape(
        "tool-call-object", "Ollama", "the arguments are an object, not text", _calls(1, as_object=True), asks="tools"
    ),
    Shape("function-call", "OpenAI, before tools", "a function_call", _old_call, asks="tools"),
    Shape("two-tool-calls", "many", "two calls of tools", _calls(2), asks="tools"),
)  # fmt: skip
