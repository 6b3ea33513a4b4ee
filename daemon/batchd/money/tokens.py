"""Counts the input tokens of requests offline: by the model's own vocabulary, if the extra is installed.

The extra `batchd[tokens]` installs splintr-rs, which contains its vocabularies. Without it, and for models that it does
not know, the count is the number of bytes divided by a constant. Never uses the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec

from .pictures import picture_counter
from .sampled_tokens import TokenCounter

BYTES_PER_TOKEN = 3.5
"""An estimate until real usage is known; within a third for most languages."""

IMAGE_TOKENS = 1_000
"""An estimate for what is neither text nor a picture, such as a file or a recording."""

_A_MESSAGE, _A_CONVERSATION = 4, 3
"""Tokens that mark roles and turns, per message and per request: exact at OpenAI, and about right elsewhere."""

VOCABULARIES = (
    # The first entry that is in the model's name decides; the part before the last slash of the name does not count.
    (r"gpt-oss", "gpt-oss"),
    (r"gpt-4(?!o|\.|-?5)|gpt-3|text-embedding|davinci|babbage", "cl100k_base"),
    (r"gpt-|chatgpt|^o\d|omni", "o200k_base"),
    (r"deepseek.*(llama)", "llama3"),
    (r"deepseek.*(qwen)", "qwen3"),
    (r"deepseek", "deepseek_v3"),
    (r"code-?llama", "codellama"),
    (r"llama-?2|vicuna", "llama2"),
    (r"llama", "llama3"),
    (r"qwen|qwq|qvq", "qwen3"),
    (r"glm", "glm4"),
    (r"kimi|moonshot", "kimi_k2"),
    (r"mixtral-8x7b|mistral-7b-(instruct-)?v0\.[12]", "mistral_v1"),
    (r"mixtral|mistral-7b|codestral", "mistral_v2"),
    (r"m[ia][a-z]*stral|pixtral|mistral|nemo", "mistral_v3"),
    (r"phi-?4", "phi4"),
    (r"gemma", "gemma2"),
)
"""The vocabulary in splintr for each model name."""

STAND_IN = "o200k_base"
"""For models whose vocabulary is missing: it counts other languages better than a number of bytes."""


def counter(model: str, correction: float = 1.0) -> TokenCounter:
    """A function from an encoded request body to its input tokens, for consecutive bodies.

    `correction` is the factor from counted tokens to real ones, known from earlier batches of the model. Each part gets
    a new counter, which is cheap once the process has the vocabulary.
    """
    return TokenCounter(OneByOne(_encoder(model), picture_counter(model)), correction)


def vocabulary(model: str) -> str | None:
    """The vocabulary used for the model here, None if bytes are counted."""
    name = _vocabulary_of(model)
    return name if tokenizer_of(name) is not None else None


def load(name: str) -> None:
    """Load a vocabulary before it is needed."""
    tokenizer = tokenizer_of(name)
    if tokenizer is not None:
        # splintr delays most of the loading until the first word with letters that are not ASCII.
        tokenizer.encode_ordinary("Xin chào, 3")


def _vocabulary_of(model: str) -> str:
    name = model.lower().rsplit("/", 1)[-1]
    return next((vocabulary for pattern, vocabulary in VOCABULARIES if re.search(pattern, name)), STAND_IN)


@cache
def tokenizer_of(name: str) -> Any:
    """The tokenizer of a vocabulary, None if the extra is not installed or does not have it."""
    try:
        from splintr import Tokenizer

        return Tokenizer.from_pretrained(name)
    # A tokenizer that is missing, broken or of another version must not stop anything: bytes will do.
    except Exception:  # noqa: BLE001
        return None


def _encoder(model: str) -> Callable[[str], float]:
    tokenizer = tokenizer_of(_vocabulary_of(model))
    if tokenizer is None:
        return _by_bytes
    # Not `encode`: a row may contain the spelling of a special token, which the service reads as text.
    encode = tokenizer.encode_ordinary
    return lambda text: len(encode(text))


def _by_bytes(text: str) -> float:
    return len(text.encode()) / BYTES_PER_TOKEN


class OneByOne:
    """Counts bodies that differ in one section only: counts the common frame once.

    The frame is what two bodies have in common at both ends, cut back to the beginning of a word. A body that does not
    fit the frame is counted as a whole, and makes the frame smaller.
    """

    def __init__(self, encode: Callable[[str], float], picture: Callable[[Any], int]) -> None:
        self.encode = encode
        self.picture = picture
        self._first: bytes | None = None
        self._same: tuple[bytes, bytes] = (b"", b"")
        self._ahead = self._behind = b""
        self.constant: float | None = None
        self._changes = self._odd = 0

    @property
    def frame_bytes(self) -> int:
        """The bytes of the frame."""
        return len(self._ahead) + len(self._behind)

    def __call__(self, body: bytes) -> float:
        """The tokens of the body."""
        count = self._in_frame(body) if self.constant is not None else None
        if count is None:
            count = self._whole(body)
            if self._changes < _MAX_CHANGES:
                self._learn(body, count)
        return count

    def _in_frame(self, body: bytes) -> float | None:
        """The tokens of a body that fits the frame, None if it does not."""
        ahead, behind = self._ahead, self._behind
        if len(body) < len(ahead) + len(behind) or not (body.startswith(ahead) and body.endswith(behind)):
            return None
        text = _text(body[len(ahead) : len(body) - len(behind)])
        if text is None:
            # More than one section differs. If this happens always, stop looking for a frame.
            self._odd += 1
            if self._odd > _MAX_ODD:
                self.constant, self._changes = None, _MAX_CHANGES
            return None
        assert self.constant is not None
        return self.constant + self.encode(text)

    def _learn(self, body: bytes, count: float) -> None:
        """Find the frame that all bodies so far fit into."""
        if self._first is None:
            self._first, self._same = body, (body, body)
            return
        same = _common_start(self._same[0], body), _common_end(self._same[1], body)
        if same == self._same:
            return
        self._same = same
        self._changes += 1
        self._ahead, self._behind = _cut_back(same[0]), _cut_ahead(same[1])
        text = None
        if len(body) >= len(self._ahead) + len(self._behind) and self._is_read():
            text = _text(body[len(self._ahead) : len(body) - len(self._behind)])
        self.constant = None if text is None else count - self.encode(text)

    def _is_read(self) -> bool:
        """Whether the differing section is the text that the model reads: it may be another field, such as the user."""
        try:
            return any(isinstance(each, str) and _MARK in each for each in texts(self._ahead + _MARKED + self._behind))
        except msgspec.DecodeError:
            return False

    def _whole(self, body: bytes) -> float:
        return sum(text if isinstance(text, int) else self.encode(text) for text in texts(body, self.picture))


_MAX_CHANGES, _MAX_ODD = 40, 20
_MARK = "\N{REPLACEMENT CHARACTER}a text of batchd\N{REPLACEMENT CHARACTER}"
_MARKED = _MARK.encode()


def _text(inside: bytes) -> str | None:
    """The text inside a JSON string, None if the bytes are more than the inside of one string."""
    if b"\\" not in inside and b'"' not in inside:
        return inside.decode()
    try:
        return _string.decode(b'"' + inside + b'"')
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _common_start(left: bytes, right: bytes) -> bytes:
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return left[:low]


def _common_end(left: bytes, right: bytes) -> bytes:
    return _common_start(left[::-1], right[::-1])[::-1]


def _cut_back(start: bytes) -> bytes:
    """Cut back to just after a quote or just before a space: no token and no escape crosses these places."""
    return start[: max(start.rfind(b" "), start.rfind(b'"') + 1, 0)]


def _cut_ahead(end: bytes) -> bytes:
    """Cut forward to just before a quote, an escape or a space."""
    places = [place for sign in (b" ", b'"', b"\\") if (place := end.find(sign)) >= 0]
    return end[min(places) :] if places else b""


class _Body(msgspec.Struct):
    """The fields of a body that a model reads."""

    messages: Any = None
    instructions: Any = None
    input: Any = None
    prompt: Any = None
    tools: Any = None
    functions: Any = None
    response_format: Any = None
    text: Any = None


_body = msgspec.json.Decoder(_Body)
_string = msgspec.json.Decoder(str)


def texts(body: bytes, picture: Callable[[Any], int] = lambda _: IMAGE_TOKENS) -> Iterator[str | int]:
    """The input of the model in an encoded body: its texts, and token counts for parts that are not text."""
    fields = _body.decode(body)
    if isinstance(fields.messages, list):
        yield _A_CONVERSATION + _A_MESSAGE * len(fields.messages)
        for message in fields.messages:
            yield from _of_message(message, picture)
    if isinstance(fields.instructions, str):
        yield _A_MESSAGE
        yield fields.instructions
    for value in (fields.input, fields.prompt):
        yield from _of_input(value, picture)
    # The model gets tools and schemas as text.
    for extra in (fields.tools, fields.functions, _schema(fields.response_format), _schema(fields.text)):
        if extra:
            yield msgspec.json.encode(extra).decode()


def _of_message(message: Any, picture: Callable[[Any], int]) -> Iterator[str | int]:
    if not isinstance(message, dict):
        return
    yield from _of_content(message.get("content", message.get("output")), picture)
    for key in ("name", "refusal", "arguments"):
        if isinstance(message.get(key), str):
            yield message[key]
    if message.get("tool_calls"):
        yield msgspec.json.encode(message["tool_calls"]).decode()


def _of_content(content: Any, picture: Callable[[Any], int]) -> Iterator[str | int]:
    if isinstance(content, str):
        yield content
    for piece in content if isinstance(content, list) else ():
        if isinstance(piece, dict) and isinstance(piece.get("text"), str):
            yield piece["text"]
        elif isinstance(piece, dict):
            yield picture(piece) if "image_url" in piece else IMAGE_TOKENS
        elif isinstance(piece, str):
            yield piece


def _of_input(value: Any, picture: Callable[[Any], int]) -> Iterator[str | int]:
    """A text; a list of texts, of messages, or of tokens; or a list of lists of tokens."""
    if isinstance(value, str):
        yield value
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield _A_MESSAGE
            yield from _of_message(each, picture)
        elif isinstance(each, list):
            yield len(each)
        else:
            yield each if isinstance(each, str) else 1


def _schema(format_: Any) -> Any:
    """The schema in chat's `response_format` or in `text.format` of responses."""
    if not isinstance(format_, dict):
        return None
    inner = format_.get("json_schema") or format_.get("format")
    return inner.get("schema") if isinstance(inner, dict) else None
