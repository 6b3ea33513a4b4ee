"""Joins the pieces of an answer that a relay sent as a stream, though none was asked for."""

from __future__ import annotations

import json

from .usage import Json


def joined_chunks(text: str) -> dict[str, Json] | None:
    """A chat completion from the lines `data: {...}` of a stream of events; None if they hold none."""
    body: dict[str, Json] = {}
    content, thinking, reason = [], [], None
    for line in text.split("\n"):
        kind, _, data = line.strip().partition(":")
        if kind != "data" or data.strip() == "[DONE]":
            continue
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(chunk, dict):
            return None
        body |= {key: value for key, value in chunk.items() if value is not None}
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            content.append(delta.get("content") or "")
            thinking.append(delta.get("reasoning_content") or "")
        reason = choice.get("finish_reason") or reason
    if not body or not all(isinstance(piece, str) for piece in (*content, *thinking)):
        return None
    message = {"role": "assistant", "content": "".join(content), "reasoning_content": "".join(thinking) or None}
    # A stream without a finish reason was cut off.
    body["choices"] = [{"index": 0, "message": message, "finish_reason": reason or "interrupted"}]
    return body
