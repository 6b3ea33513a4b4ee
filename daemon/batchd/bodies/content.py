"""Finds the parts of an answer: its text, its thinking, its refusal, its tool calls, its finish reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from .usage import Json

_THOUGHTS = frozenset({"thinking", "reasoning", "redacted_thinking", "thought", "reasoning_content", "summary_text"})
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
_LISTS = ("choices", "output", "data", "results", "candidates", "embeddings", "embedding")


def has_answer(body: Json) -> bool:
    """Whether a body has an answer of one of the endpoints: chat, completions, responses, embeddings, and others."""
    if not isinstance(body, dict):
        return False
    for key in _LISTS:
        answers = body.get(key)
        if answers and isinstance(answers, list):
            return True
    if any(isinstance(body.get(key), dict) and body[key] for key in ("embeddings", "embedding")):
        return True  # as Cohere and Gemini write vectors
    return choice_of(body) is not None or _is_responses(body)


def _is_responses(body: Mapping[str, Json]) -> bool:
    return body.get("object") == "response" and isinstance(body.get("status"), str)


def choice_of(body: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """Return the first choice of a chat or a completion. Forms of other APIs, which relays pass on, become OpenAI's."""
    choices = body.get("choices")
    if choices and isinstance(choices, list):
        return choices[0] if isinstance(choices[0], dict) else None
    if choices and isinstance(choices, dict):
        return choices
    if body.get("type") == "message" and isinstance(body.get("content"), list):  # Anthropic
        return {"message": body, "finish_reason": body.get("stop_reason")}
    candidates = body.get("candidates")
    if candidates and isinstance(candidates, list) and isinstance(candidates[0], dict):  # Gemini
        content = candidates[0].get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        return {"message": {"content": parts}, "finish_reason": candidates[0].get("finishReason")}
    feedback = body.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return {"message": {"content": None}, "finish_reason": feedback["blockReason"]}
    if isinstance(body.get("message"), dict) and "done" in body:  # Ollama
        return {"message": body["message"], "finish_reason": body.get("done_reason")}
    return None


def text_of(body: Mapping[str, Json]) -> str | None:
    """The text of the answer, None if it has none."""
    choice = choice_of(body)
    if choice is None:
        return "".join(_output(body, "text")) or None
    message = choice.get("message")
    if not isinstance(message, dict):
        return content_text(choice.get("text") if message is None else message)
    text = content_text(message.get("content"))
    audio = message.get("audio")
    if text is None and isinstance(audio, dict):
        transcript = audio.get("transcript")
        return transcript if isinstance(transcript, str) else None
    return text


def content_text(content: Json) -> str | None:
    """Return the text of a message's content: the text, the joined pieces of a list, or any other value as JSON."""
    if isinstance(content, str):
        return content
    if content is None:
        return None
    if isinstance(content, dict) and isinstance(content.get("parts"), list):
        content = content["parts"]
    if isinstance(content, list) and (not content or any(map(_is_piece, content))):
        return "".join(_texts(content, "text")) or None
    if _is_piece(content):
        return "".join(_texts([content], "text")) or None
    try:
        return json.dumps(content, ensure_ascii=False)
    except RecursionError:
        return None


def _is_piece(piece: Json) -> bool:
    """Whether a value is a piece of a message, not a value of an answer."""
    if isinstance(piece, str):
        return True
    return isinstance(piece, dict) and (isinstance(piece.get("type"), str) or isinstance(piece.get("text"), str))


def refusal_of(body: Mapping[str, Json]) -> str | None:
    """The model's text if it declined to answer, else None."""
    choice = choice_of(body)
    if choice is None:
        return "".join(_output(body, "refusal")) or None
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    refusal = message.get("refusal")
    if isinstance(refusal, str):
        return refusal or None
    return "".join(_texts(message.get("content"), "refusal")) or None


def thinking_of(body: Mapping[str, Json]) -> str | None:
    """The model's thinking from a field of its own, None if there is none."""
    choice = choice_of(body)
    message = choice.get("message") if choice is not None else None
    if not isinstance(message, dict):
        return None
    for name in _THOUGHT_FIELDS:
        thinking = message.get(name)
        if isinstance(thinking, str) and thinking.strip():
            return thinking
    return None


def word_for_the_end(body: Mapping[str, Json]) -> Json:
    """Why the model stopped, in the service's own word. None if it does not say; for /v1/responses its status."""
    choice = choice_of(body)
    if choice is not None:
        for name in ("finish_reason", "finishReason", "done_reason", "stop_reason", "stopReason"):
            word = choice.get(name)
            if isinstance(word, list) and len(word) == 1:
                word = word[0]
            if isinstance(word, dict):
                word = word.get("reason") or word.get("type")  # as AI21 and SGLang write it
            if word is not None:
                return word
        return "error" if isinstance(choice.get("error"), dict) else None
    if isinstance(body.get("error"), dict) and body["error"]:
        return "failed"
    status = body.get("status")
    if not isinstance(status, str):
        return None
    if status.lower() == "incomplete":
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return reason if reason is not None else status
    return status


def error_of(body: Mapping[str, Json]) -> Json:
    """The error beside an answer: of a response that failed, or of a choice. None if there is none."""
    error = body.get("error")
    if not error:
        choice = choice_of(body)
        error = choice.get("error") if choice is not None else None
    return error or None


def tool_arguments(body: Mapping[str, Json]) -> Sequence[Json]:
    """The arguments of each call of a tool: JSON text, as services write them, or a value."""
    choice = choice_of(body)
    if choice is None:
        output = body.get("output")
        items = output if isinstance(output, list) else ()
        return [
            item.get("arguments") for item in items if isinstance(item, dict) and item.get("type") == "function_call"
        ]
    message = choice.get("message")
    if not isinstance(message, dict):
        return ()
    calls = message.get("tool_calls")
    if isinstance(calls, dict):
        calls = [calls] if "function" in calls else list(calls.values())
    if isinstance(calls, list) and calls:
        return [_arguments(call) for call in calls]
    if isinstance(message.get("function_call"), dict):
        return [message["function_call"].get("arguments")]
    content = message.get("content")
    pieces = content if isinstance(content, list) else ()
    used = [each.get("input") for each in pieces if isinstance(each, dict) and each.get("type") == "tool_use"]
    used += [
        each["functionCall"].get("args")
        for each in pieces
        if isinstance(each, dict) and isinstance(each.get("functionCall"), dict)
    ]
    return used


def _arguments(call: Json) -> Json:
    if not isinstance(call, dict):
        return None
    function = call.get("function")
    if isinstance(function, dict):
        return function.get("arguments", function.get("parameters"))
    custom = call.get("custom")
    return custom.get("input") if isinstance(custom, dict) else call.get("arguments")


def _output(body: Mapping[str, Json], kind: str) -> Iterator[str]:
    output = body.get("output")
    for item in output if isinstance(output, list) else ():
        # Other items hold text as well: the model's reasoning, its calls of tools.
        if isinstance(item, dict) and item.get("type", "message") == "message":
            content = item.get("content")
            if isinstance(content, str) and kind == "text":
                yield content
            else:
                yield from _texts(content, kind)


def _texts(content: Json, kind: str) -> Iterator[str]:
    """Yield the texts (or refusals) in the pieces of a message, without the model's thinking."""
    for piece in content if isinstance(content, list) else ():
        if isinstance(piece, str):
            if kind == "text":
                yield piece
        elif isinstance(piece, dict) and piece.get("type") not in _THOUGHTS and piece.get("thought") is not True:
            text = piece.get(kind)
            if isinstance(text, dict):
                text = text.get("value")  # as the Assistants API wraps it
            if text is None and piece.get("type") == kind:
                text = piece.get("content")
            if isinstance(text, str):
                yield text
