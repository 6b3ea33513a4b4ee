"""Turns what Anthropic answers into OpenAI's form: a message into a chat completion, a result into an output line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

from batchd import Body, Json

_ENDINGS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Any other word stays as it is; batchd then says that it does not know the word."""
STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status that the service has for each kind of error."""
NOT_RUN = {
    "expired": ("batch_expired", "This request could not be executed before the batch expired, after 24 hours."),
    "canceled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}
SEPARATOR = "_"
"""Stands between the key of a batch and the custom_id of one of its rows. A key never contains it."""


def marked(key: str, custom_id: str) -> str:
    """The custom_id as the service gets it: with the key of the batch, so that its results tell whose batch it is."""
    return f"{key}{SEPARATOR}{custom_id}"


def chat_completion(message: Mapping[str, Json]) -> Body:
    """A message as a chat completion. The model's thinking is no part of the text; it has a field of its own."""
    texts, thoughts, calls = [], [], []
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        match block.get("type"):
            case "text":
                texts.append(str(block.get("text") or ""))
            case "thinking":
                thoughts.append(str(block.get("thinking") or ""))
            case "tool_use":
                function = {"name": block.get("name"), "arguments": json.dumps(block.get("input"), ensure_ascii=False)}
                calls.append({"id": block.get("id"), "type": "function", "function": function})
    said: Body = {"role": "assistant", "content": "".join(texts) or None}
    if any(thoughts):
        said["reasoning_content"] = "\n".join(thoughts)
    if calls:
        said["tool_calls"] = calls
    ending = message.get("stop_reason")
    made: Body = {
        "id": message.get("id"),
        "object": "chat.completion",
        "model": message.get("model"),
        "choices": [{"index": 0, "message": said, "finish_reason": _ENDINGS.get(ending, ending) if ending else ending}],
        "usage": usage_of(message.get("usage")),
    }
    return made


def usage_of(usage: Json) -> Json:
    """The tokens as OpenAI counts them: what was read from a cache, or written to it, is part of the input.

    The service's own figures for its caches are kept beside them.
    """
    if not isinstance(usage, dict):
        return None
    plain, written = usage.get("input_tokens"), usage.get("output_tokens")
    if not _is_count(plain) or not _is_count(written):
        return usage
    read, stored = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    if not _is_count(read) or not _is_count(stored):
        return usage
    given = plain + read + stored
    made: Body = {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written}
    if read or stored:
        made["prompt_tokens_details"] = {"cached_tokens": read}
        made["cache_read_input_tokens"] = read
        made["cache_creation_input_tokens"] = stored
        if isinstance(usage.get("cache_creation"), dict):
            made["cache_creation"] = usage["cache_creation"]
    details = usage.get("output_tokens_details")
    thinking = details.get("thinking_tokens") if isinstance(details, dict) else None
    if _is_count(thinking) and thinking <= written:
        made["completion_tokens_details"] = {"reasoning_tokens": thinking}
    return made


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def output_line(line: bytes, key: str) -> bytes:
    """A line of a batch's results as a line of OpenAI's output, with its newline; empty for an empty line.

    A line that cannot be read is passed on without the key: batchd finds out which row it is for, and asks that again.
    """
    line = line.strip()
    if not line:
        return b""
    try:
        record = msgspec.json.decode(line)
        result = record["result"]
        kind = result["type"]
        custom_id = str(record["custom_id"]).removeprefix(f"{key}{SEPARATOR}")
    except (ValueError, KeyError, TypeError, RecursionError):
        return line.replace(marked(key, "").encode(), b"") + b"\n"
    response: Json = None
    error: Json = None
    if kind == "succeeded" and isinstance(result.get("message"), dict):
        response = {"status_code": 200, "body": chat_completion(result["message"])}
    elif kind == "errored":
        response = refusal(result.get("error"))
    elif kind in NOT_RUN:
        code, message = NOT_RUN[kind]
        error = {"code": code, "message": message}
    else:
        error = {"code": str(kind)[:100], "message": f"The service calls the outcome of this row {str(kind)[:100]!r}."}
    return msgspec.json.encode({"custom_id": custom_id, "response": response, "error": error}) + b"\n"


def refusal(error: Json) -> Body:
    """An error of one request as a response, with the status that the request would have had outside a batch."""
    kind, message = error_of(error)
    status = STATUSES.get(kind, 400 if kind.startswith("invalid") else 500)
    code = kind
    if kind == "not_found_error" and message.startswith("model"):
        # Not the row's fault: the route names a model that does not exist.
        code, message = "model_not_found", f"The service does not know the {message.replace(':', '', 1)}."
    return {"status_code": status, "body": {"error": {"type": kind, "code": code, "message": message}}}


def error_of(error: Json) -> tuple[str, str]:
    """The kind of an error and its text. The service wraps errors in another object."""
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        return "error", str(error or "The service gave no reason.")
    return str(error.get("type") or "error"), str(error.get("message") or "The service gave no reason.")
