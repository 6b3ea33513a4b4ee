"""Builds the answer to a request body, for each endpoint. Live calls and batches use the same code."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from ..refusals import Refusal, invalid, missing_parameter
from .responder import Message, respond, tokens_in

CONTEXT_TOKENS = 128_000
EMBEDDING_SIZE = 256
_UNLIMITED = 1 << 40


class ChatRequest(msgspec.Struct):
    """The fields of a chat completion request that the sandbox reads; others are ignored."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    stream: bool | None = None
    response_format: dict[str, Any] | None = None


class ResponsesRequest(msgspec.Struct):
    """The fields of a request to /v1/responses that the sandbox reads."""

    model: str
    input: str | list[Message]
    instructions: str | None = None
    max_output_tokens: int | None = None
    stream: bool | None = None
    text: dict[str, Any] | None = None


class EmbeddingsRequest(msgspec.Struct):
    """The fields of an embeddings request that the sandbox reads."""

    model: str
    input: str | list[str]
    encoding_format: str | None = None
    dimensions: int | None = None


Request = ChatRequest | ResponsesRequest | EmbeddingsRequest


@dataclass(slots=True)
class Answer:
    """A 200 answer."""

    body: bytes
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


HALF_PAIR = "\ue000"
"""Stands for half of a surrogate pair, which a text cannot contain."""

_MISSING = re.compile(r"missing required field `(\w+)`")
_FIELD = re.compile(r"at `\$(?:\.body)?\.?(\S*)`$")
_encode = msgspec.json.encode


# Filled in for each answer: encoding the whole object would take three times as long.
_CHAT = (
    b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":[{"index":0,"message":'
    b'{"role":"assistant","content":%b,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%b"}],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},'
    b'"service_tier":"default","system_fingerprint":"fp_sandbox"}'
)


def answer_chat(request: ChatRequest, identity: bytes, created: int, faults: Collection[str] = ()) -> Answer:
    """Answers /v1/chat/completions. Raises Refusal where the real service answers with 4xx.

    `faults` are the kinds of faults of the request's line; some of them change the text.
    """
    limit = request.max_completion_tokens or request.max_tokens
    if not limit or limit < 0:
        limit = _check_limits(request, "max_completion_tokens", "max_tokens")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        message = f"Invalid 'temperature': expected a value from 0 to 2, but got {request.temperature:g} instead."
        raise invalid(message, "temperature", "decimal_out_of_range")
    schema, json_object = _response_format(request.response_format or {})
    input_tokens = prompt_tokens(request)
    text = respond(request.messages, schema, json_object=json_object)
    text, output_tokens, cut = _cut(text, limit, faults)
    content = b"null" if "empty" in faults else _encode(text)
    body = _CHAT % (
        identity,
        created,
        _quoted(request.model),
        content,
        b"length" if cut else b"stop",
        input_tokens,
        output_tokens,
        input_tokens + output_tokens,
    )
    return Answer(body, input_tokens, output_tokens)


def answer_responses(request: ResponsesRequest, identity: bytes, created: int, faults: Collection[str] = ()) -> Answer:
    """Answers /v1/responses."""
    limit = request.max_output_tokens
    if not limit or limit < 0:
        limit = _check_limits(request, "max_output_tokens")
    schema, json_object = None, False
    if request.text and isinstance(wanted := request.text.get("format"), dict):
        json_object = wanted.get("type") == "json_object"
        schema = wanted.get("schema") if wanted.get("type") == "json_schema" else None
    input_tokens = prompt_tokens(request)
    text = respond(_messages(request), schema, json_object=json_object)
    text, output_tokens, cut = _cut(text, limit, faults)
    written = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {
        "id": f"msg_{identity.decode()}",
        "type": "message",
        "status": "incomplete" if cut else "completed",
        "role": "assistant",
        "content": [] if "empty" in faults else [written],
    }
    body = {
        "id": f"resp_{identity.decode()}",
        "object": "response",
        "created_at": created,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": request.instructions,
        "model": request.model,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
        },
    }
    return Answer(_encode(body), input_tokens, output_tokens)


def answer_embeddings(
    request: EmbeddingsRequest, identity: bytes, created: int, faults: Collection[str] = ()
) -> Answer:
    """Answers /v1/embeddings with meaningless numbers that depend only on the text."""
    del identity, created, faults
    texts = [request.input] if isinstance(request.input, str) else request.input
    if not texts:
        raise invalid("Invalid 'input': it is empty.", "input", "invalid_value")
    size = request.dimensions or EMBEDDING_SIZE
    data = []
    for index, text in enumerate(texts):
        random = Random(zlib.crc32(text.encode("utf-8", "surrogatepass")))
        vector = [random.uniform(-1, 1) for _ in range(size)]
        packed: object = vector
        if request.encoding_format == "base64":
            packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": packed})
    tokens = prompt_tokens(request)
    body = {
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Answer(_encode(body), tokens, 0)


def prompt_tokens(request: Request) -> int:
    """The estimated number of prompt tokens. Raises Refusal if they exceed the context length."""
    if isinstance(request, EmbeddingsRequest):
        texts = [request.input] if isinstance(request.input, str) else request.input
        return sum(map(tokens_in, texts))
    total = 3
    for message in request.messages if isinstance(request, ChatRequest) else _messages(request):
        total += 3 + tokens_in(message.text)
    if total > CONTEXT_TOKENS:
        raise invalid(
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, your messages resulted in"
            f" {total} tokens. Please reduce the length of the messages.",
            "messages",
            "context_length_exceeded",
        )
    return total


def _messages(request: ResponsesRequest) -> list[Message]:
    messages = [Message("user", request.input)] if isinstance(request.input, str) else request.input
    return messages if request.instructions is None else [Message("system", request.instructions), *messages]


def _check_limits(request: Request, *names: str) -> int:
    # Called if no limit is set, or if the one that is set is below one.
    for name in names:
        if (value := getattr(request, name)) is not None:
            raise invalid(
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead.",
                name,
                "integer_below_min_value",
            )
    return _UNLIMITED


def _response_format(wanted: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    match wanted.get("type"):
        case "json_schema":
            wrapper = wanted.get("json_schema")
            if not isinstance(wrapper, dict) or not isinstance(wrapper.get("schema"), dict):
                raise missing_parameter("response_format.json_schema.schema")
            return wrapper["schema"], False
        case "json_object":
            return None, True
        case _:
            return None, False


def _cut(text: str, limit: int, faults: Collection[str]) -> tuple[str, int, bool]:
    """Apply the faults that change the text, and cut it: return it, its tokens, and whether it was cut off."""
    if "separators" in faults:
        text = f"{text}\u2028{text}\u2029{text}\u0085."
    if "half-pair" in faults:
        text = f"{text}{HALF_PAIR}"
    tokens = tokens_in(text)
    if "length" in faults:
        limit = min(limit, max(1, tokens // 2))
    if tokens <= limit:
        return text, tokens, "length" in faults
    return text.encode("utf-8", "surrogatepass")[: limit * 4].decode("utf-8", "ignore"), limit, True


@lru_cache(maxsize=64)
def _quoted(model: str) -> bytes:
    return _encode(model)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that answers requests: its request type and its function."""

    request: type[Request]
    answer: Callable[[Any, bytes, int, Collection[str]], Answer]


ENDPOINTS = {
    "/v1/chat/completions": Endpoint(ChatRequest, answer_chat),
    "/v1/responses": Endpoint(ResponsesRequest, answer_responses),
    "/v1/embeddings": Endpoint(EmbeddingsRequest, answer_embeddings),
}


def unreadable_body(reason: str) -> Refusal:
    """The refusal of a body that does not fit its endpoint; `reason` is the decoder's message."""
    if missing := _MISSING.search(reason):
        return missing_parameter(missing[1])
    field = _FIELD.search(reason)
    return invalid(f"Invalid request: {reason}.", field[1] if field else None, "invalid_type")
