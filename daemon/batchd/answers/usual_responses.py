"""The usual answer of /v1/responses, decoded quickly: a text that was finished, perhaps behind some thinking.

Whatever has any other field, kind of item or status is left to `meaning`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..bodies.usage import MAX_TOKENS

MARK = b'"output_text"'
"""What each line of this kind has in it."""
_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
_ANY = msgspec.Raw()
"""The default of what changes nothing, whatever it is."""


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


class _Body(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    object: Literal["response"]
    status: Literal["completed"]
    output: list[_Message | _Thinking]
    usage: _Usage
    error: None = None
    incomplete_details: None = None
    id: msgspec.Raw = _ANY
    background: msgspec.Raw = _ANY
    billing: msgspec.Raw = _ANY
    completed_at: msgspec.Raw = _ANY
    conversation: msgspec.Raw = _ANY
    created_at: msgspec.Raw = _ANY
    frequency_penalty: msgspec.Raw = _ANY
    instructions: msgspec.Raw = _ANY
    max_output_tokens: msgspec.Raw = _ANY
    max_tool_calls: msgspec.Raw = _ANY
    metadata: msgspec.Raw = _ANY
    model: msgspec.Raw = _ANY
    parallel_tool_calls: msgspec.Raw = _ANY
    presence_penalty: msgspec.Raw = _ANY
    previous_response_id: msgspec.Raw = _ANY
    prompt: msgspec.Raw = _ANY
    prompt_cache_key: msgspec.Raw = _ANY
    prompt_cache_retention: msgspec.Raw = _ANY
    reasoning: msgspec.Raw = _ANY
    safety_identifier: msgspec.Raw = _ANY
    service_tier: msgspec.Raw = _ANY
    store: msgspec.Raw = _ANY
    temperature: msgspec.Raw = _ANY
    text: msgspec.Raw = _ANY
    tool_choice: msgspec.Raw = _ANY
    tools: msgspec.Raw = _ANY
    top_logprobs: msgspec.Raw = _ANY
    top_p: msgspec.Raw = _ANY
    truncation: msgspec.Raw = _ANY
    user: msgspec.Raw = _ANY


class _Response(msgspec.Struct, gc=False):
    body: _Body
    status_code: Literal[200]


class _Line(msgspec.Struct, gc=False):
    response: _Response


_decode = msgspec.json.Decoder(_Line).decode


def text_of_responses(line: bytes) -> tuple[str, tuple[int, int, int]] | None:
    """The text and its tokens: input, cached ones of them, output. None if the line is not of this kind."""
    try:
        body = _decode(line).response.body
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
