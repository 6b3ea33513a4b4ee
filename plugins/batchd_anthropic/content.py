"""Translates the messages of a chat: their roles, their content, and what Anthropic wants in another form."""

from __future__ import annotations

import json
import re
from typing import Any

from batchd import Body, Json

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,(.*)", re.DOTALL | re.ASCII)
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_OWN_BLOCKS = frozenset({"image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"})
"""Blocks in Anthropic's own form, which go out as they are."""


class Untranslatable(Exception):
    """Why a request cannot be asked of Anthropic: a code, a sentence that says what to change, the field."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def _unsupported(place: str, what: str) -> Untranslatable:
    return Untranslatable("unsupported_value", f"{place} {what}", place)


def _invalid(place: str, what: str) -> Untranslatable:
    return Untranslatable("invalid_request", f"{place} {what}", place)


def conversation(messages: Json) -> tuple[Json, list[Body]]:
    """The instructions, and the turns of user and assistant. Turns of one side that follow each other become one."""
    if not isinstance(messages, list) or not messages:
        raise Untranslatable("invalid_request", "messages is no list of messages. Write one.", "messages")
    system: list[Body] = []
    turns: list[Body] = []
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role in {"system", "developer"}:
            blocks = _blocks(message.get("content"), place)
            if any(block.get("type") != "text" for block in blocks):
                raise _unsupported(place, "gives instructions with more than text. Write only text.")
            system += blocks
            continue
        if role == "user":
            side, blocks = "user", _blocks(message.get("content"), place)
        elif role == "assistant":
            side, blocks = "assistant", _said(message, place)
        elif role == "tool":
            side, blocks = "user", [_tool_result(message, place)]
        else:
            raise _unsupported(place, f"has the role {json.dumps(role)[:50]}, which Anthropic does not have.")
        if not blocks:
            raise _invalid(place, "is empty, and Anthropic takes no empty message.")
        if turns and turns[-1]["role"] == side:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": side, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        raise Untranslatable(
            "invalid_request", "The first message after the instructions must be the user's.", "messages"
        )
    for turn in turns:
        turn["content"] = _plain(turn["content"])
    return _plain(system), turns


def _plain(blocks: list[Body]) -> Json:
    """A single text block as plain text, which is shorter; otherwise the blocks."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks


def _blocks(content: Json, place: str) -> list[Body]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    if content is None:
        return []
    if not isinstance(content, list):
        raise Untranslatable("invalid_request", f"{place}.content is neither text nor a list.", place)
    return [block for part in content if (block := _block(part, place)) is not None]


def _block(part: Json, place: str) -> Body | None:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    kind = part.get("type") if isinstance(part, dict) else None
    made: Body | None
    match kind:
        case "text" | "input_text":
            text = part.get("text")
            if not isinstance(text, str):
                raise _invalid(place, "holds a text part without text.")
            made = {"type": "text", "text": text} if text.strip() else None
        case "refusal":
            made = {"type": "text", "text": str(part.get("refusal"))} if part.get("refusal") else None
        case "image_url":
            made = _image(part.get("image_url"), place)
        case "file":
            made = _file(part.get("file"), place)
        case str() if kind in _OWN_BLOCKS:
            return dict(part)
        case _:
            raise _unsupported(
                place,
                f"holds a part of the type {json.dumps(kind)[:50]}, which Anthropic does not take. It takes "
                "text, images and PDF files.",
            )
    if made is not None and isinstance(part.get("cache_control"), dict):
        made["cache_control"] = part["cache_control"]
    return made


def _image(image: Json, place: str) -> Body:
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith("https://"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    data = _DATA.fullmatch(url) if isinstance(url, str) else None
    if data is None or data[1].lower() not in _IMAGES:
        raise _unsupported(
            place,
            "holds an image that Anthropic does not take. It takes addresses with https, and data of the "
            "types JPEG, PNG, GIF and WebP in base64.",
        )
    return {"type": "image", "source": {"type": "base64", "media_type": data[1].lower(), "data": data[2]}}


def _file(file: Json, place: str) -> Body:
    data = _DATA.fullmatch(str(file.get("file_data"))) if isinstance(file, dict) else None
    if data is None or data[1].lower() != "application/pdf":
        raise _unsupported(
            place, "holds a file that Anthropic does not take. It takes PDF in base64; a file_id is of another service."
        )
    made: Body = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data[2]},
    }
    if isinstance(file.get("filename"), str) and file["filename"]:
        made["title"] = file["filename"]
    return made


def _said(message: Body, place: str) -> list[Body]:
    """What the assistant said earlier in the chat: its text, and the tools that it called."""
    blocks = _blocks(message.get("content"), place)
    if not blocks and isinstance(message.get("refusal"), str):
        blocks = _blocks(message["refusal"], place)
    if message.get("function_call") is not None:
        raise _unsupported(place, "calls a function in an old form. Write it as tool_calls.")
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        arguments = _object(function.get("arguments")) if isinstance(function, dict) else None
        if function is None or arguments is None or not isinstance(call.get("id"), str):
            raise _unsupported(place, "calls a tool without an id, or with arguments that are no JSON object.")
        blocks.append({"type": "tool_use", "id": call["id"], "name": function.get("name"), "input": arguments})
    return blocks


def _object(text: Json) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if isinstance(text, str) and text.strip() else {} if text in ("", None) else text
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _tool_result(message: Body, place: str) -> Body:
    if not isinstance(message.get("tool_call_id"), str):
        raise _invalid(place, "answers a tool without a tool_call_id.")
    made: Body = {"type": "tool_result", "tool_use_id": message["tool_call_id"]}
    blocks = _blocks(message.get("content"), place)
    if blocks:
        made["content"] = _plain(blocks)
    return made
