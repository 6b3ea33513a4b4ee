"""The usual answer of /v1/responses, decoded quickly: a text that was finished, perhaps after some thinking.

A line with any other field, kind of item or status is left to `meaning`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..bodies.usage import MAX_TOKENS
from .usual_lines import SuccessLine

MARK = b'"output_text"'
"""Each line of this kind contains this."""
_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
_ANY = msgspec.Raw()
"""The default of fields that change nothing, whatever their value."""


class _Cached(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    cached_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Reasoning(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    reasoning_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Usage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    input_tokens: _Count
    output_tokens: _Count
    total_tokens: int | None = None
    input_tokens_details: _Cached | None = None
    output_tokens_details: _Reasoning | None = None


class _Text(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["output_text"]
    text: str
    annotations: msgspec.Raw = _ANY
    logprobs: msgspec.Raw = _ANY


class _Message(msgspec.Struct, gc=False, tag_field="type", tag="message", forbid_unknown_fields=True):
    content: list[_Text]
    status: Literal["completed"] | None = None
    role: Literal["assistant"] | None = None
    id: msgspec.Raw = _ANY
    phase: msgspec.Raw = _ANY


class _Thinking(msgspec.Struct, gc=False, tag_field="type", tag="reasoning"):
    """What the model thought, which is no part of the answer."""


class _Known(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    object: Literal["response"]
    status: Literal["completed"]
    output: list[_Message | _Thinking]
    usage: _Usage
    error: None = None
    incomplete_details: None = None


# fmt: off
_WITHOUT_EFFECT = (
    "id", "background", "billing", "completed_at", "conversation", "created_at", "frequency_penalty",
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "parallel_tool_calls",
    "presence_penalty", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention",
    "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice", "tools",
    "top_logprobs", "top_p", "truncation", "user",
)
# fmt: on
_Body = msgspec.defstruct(
    "_Body",
    [(name, msgspec.Raw, _ANY) for name in _WITHOUT_EFFECT],
    bases=(_Known,),
    gc=False,
    forbid_unknown_fields=True,
)
_decode = msgspec.json.Decoder(SuccessLine[_Body]).decode  # type: ignore[valid-type]  # it is made of a list


def text_of_responses(line: bytes) -> tuple[str, tuple[int, int, int]] | None:
    """Return the text and its tokens (input, cached input, output); None if the line is not of this kind."""
    try:
        body: _Known = _decode(line).response.body
    except (ValueError, RecursionError):
        return None
    usage = body.usage
    given, written, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    thought = usage.output_tokens_details.reasoning_tokens if usage.output_tokens_details is not None else 0
    cached = usage.input_tokens_details.cached_tokens if usage.input_tokens_details is not None else 0
    if (total is not None and total != given + written) or thought > written or cached > given:
        return None
    text = "".join(piece.text for item in body.output if type(item) is _Message for piece in item.content)
    return (text, (given, cached, written)) if text else None
