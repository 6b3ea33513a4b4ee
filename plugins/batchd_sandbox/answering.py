"""From a request body to an answer body, for each endpoint. The same code answers live and in batches."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from .refusals import Refusal, missing_parameter
from .responder import Message, respond, tokens_in

CONTEXT_TOKENS = 128_000
EMBEDDING_SIZE = 256
_UNLIMITED = 1 << 40


class ChatRequest(msgspec.Struct):
    """What the sandbox reads of a chat completion request; the rest is accepted unread."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    stream: bool | None = None
    response_format: dict[str, Any] | None = None


class ResponsesRequest(msgspec.Struct):
    """What the sandbox reads of a request to /v1/responses."""

    model: str
    input: str | list[Message]
    instructions: str | None = None
    max_output_tokens: int | None = None
    stream: bool | None = None
    text: dict[str, Any] | None = None


class EmbeddingsRequest(msgspec.Struct):
    """What the sandbox reads of a request for embeddings."""

    model: str
    input: str | list[str]
    encoding_format: str | None = None
    dimensions: int | None = None


Request = ChatRequest | ResponsesRequest | EmbeddingsRequest


@dataclass(slots=True)
class Twist:
    """How an ordered fault bends an answer."""

    separators: bool = False
    length: bool = False
    empty: bool = False
    half_pair: bool = False


@dataclass(slots=True)
class Answer:
    """A 200 answer."""

    body: bytes
    input_tokens: int
    output_tokens: int


HALF_PAIR = "\ue000"
"""Stands in a text for half of a surrogate pair, which cannot stand there itself."""

_STRAIGHT = Twist()
_MISSING = re.compile(r"missing required field `(\w+)`")
_PLACE = re.compile(r"at `\$(?:\.body)?\.?(\S*)`$")
_encode = msgspec.json.encode


# Built once and filled in for each answer: encoding the whole object would take three times as long.
_CHAT = (
    b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":[{"index":0,"message":'
    b'{"role":"assistant","content":%b,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%b"}],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},'
    b'"service_tier":"default","system_fingerprint":"fp_sandbox"}'
)


def answer_chat(request: ChatRequest, identity: bytes, created: int, twist: Twist = _STRAIGHT) -> Answer:
    """Answers /v1/chat/completions; raises Refusal for what the real service refuses with 4xx."""
    limit = request.max_completion_tokens or request.max_tokens
    if not limit:
        limit = _check_limits(request)
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise _out_of_range("temperature", request.temperature, 0, 2)
    schema = None
    json_object = False
    if request.response_format is not None:
        schema, json_object = _format_asked(request.response_format)
    input_tokens = prompt_tokens(request)
    text = respond(request.messages, schema, json_object=json_object)
    text, output_tokens, cut = _cut(text, limit, twist)
    content = b"null" if twist.empty else _encode(text)
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


def answer_responses(request: ResponsesRequest, identity: bytes, created: int, twist: Twist = _STRAIGHT) -> Answer:
    """Answers /v1/responses."""
    schema, json_object = None, False
    if request.text and isinstance(asked := request.text.get("format"), dict):
        json_object = asked.get("type") == "json_object"
        schema = asked.get("schema") if asked.get("type") == "json_schema" else None
    input_tokens = prompt_tokens(request)
    text = respond(_messages(request), schema, json_object=json_object)
    text, output_tokens, cut = _cut(text, request.max_output_tokens or _UNLIMITED, twist)
    written = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {
        "id": f"msg_{identity.decode()}",
        "type": "message",
        "status": "incomplete" if cut else "completed",
        "role": "assistant",
        "content": [] if twist.empty else [written],
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


def answer_embeddings(request: EmbeddingsRequest, identity: bytes, created: int, twist: Twist = _STRAIGHT) -> Answer:
    """Answers /v1/embeddings with numbers that depend on the text alone, and mean nothing."""
    del identity, created, twist
    texts = [request.input] if isinstance(request.input, str) else request.input
    if not texts:
        raise Refusal(400, "Invalid 'input': it is empty.", param="input", code="invalid_value")
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
    """How many tokens a request's words are taken for; raises Refusal if they are more than a model reads."""
    if isinstance(request, EmbeddingsRequest):
        texts = [request.input] if isinstance(request.input, str) else request.input
        return sum(map(tokens_in, texts))
    total = 3
    for message in request.messages if isinstance(request, ChatRequest) else _messages(request):
        total += 3 + tokens_in(message.text)
    if total > CONTEXT_TOKENS:
        raise Refusal(
            400,
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, your messages resulted in"
            f" {total} tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        )
    return total


def _messages(request: ResponsesRequest) -> list[Message]:
    given = request.input
    messages = [Message("user", given)] if isinstance(given, str) else given
    return messages if request.instructions is None else [Message("system", request.instructions), *messages]


def _check_limits(request: ChatRequest) -> int:
    # Reached when neither limit is given, or when the one given is zero.
    for name in ("max_completion_tokens", "max_tokens"):
        if getattr(request, name) is not None:
            raise Refusal(
                400,
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got 0 instead.",
                param=name,
                code="integer_below_min_value",
            )
    return _UNLIMITED


def _out_of_range(name: str, value: float, low: float, high: float) -> Refusal:
    return Refusal(
        400,
        f"Invalid '{name}': expected a value from {low:g} to {high:g}, but got {value:g} instead.",
        param=name,
        code="decimal_out_of_range",
    )


def _format_asked(asked: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    match asked.get("type"):
        case "json_schema":
            wrapper = asked.get("json_schema")
            if not isinstance(wrapper, dict) or not isinstance(wrapper.get("schema"), dict):
                raise missing_parameter("response_format.json_schema.schema")
            return wrapper["schema"], False
        case "json_object":
            return None, True
        case _:
            return None, False


def _cut(text: str, limit: int, twist: Twist) -> tuple[str, int, bool]:
    """The text as far as the limit allows, its tokens, and whether anything was cut."""
    if twist.separators:
        text = f"{text}\u2028{text}\u2029{text}\u0085."
    if twist.half_pair:
        text = f"{text}{HALF_PAIR}"
    tokens = tokens_in(text)
    if twist.length:
        limit = min(limit, max(1, tokens // 2))
    if tokens <= limit:
        return text, tokens, twist.length
    if limit < 1:
        raise Refusal(
            400, "Invalid limit of tokens: expected a value >= 1.", param="max_tokens", code="integer_below_min_value"
        )
    return text.encode("utf-8", "surrogatepass")[: limit * 4].decode("utf-8", "ignore"), limit, True


@lru_cache(maxsize=64)
def _quoted(model: str) -> bytes:
    return _encode(model)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint that answers requests: its path, the shape of its request, and what answers it."""

    path: str
    request: type[Request]
    answer: Callable[[Any, bytes, int, Twist], Answer]


ENDPOINTS = {
    one.path: one
    for one in (
        Endpoint("/v1/chat/completions", ChatRequest, answer_chat),
        Endpoint("/v1/responses", ResponsesRequest, answer_responses),
        Endpoint("/v1/embeddings", EmbeddingsRequest, answer_embeddings),
    )
}


def unreadable_body(reason: str) -> Refusal:
    """Why a request body is refused that has not the shape of its endpoint; `reason` is the decoder's."""
    if missing := _MISSING.search(reason):
        return missing_parameter(missing[1])
    place = _PLACE.search(reason)
    return Refusal(400, f"Invalid request: {reason}.", param=place[1] if place else None, code="invalid_type")
