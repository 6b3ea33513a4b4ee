"""How many bytes the answers to requests can have: by what the requests ask for, with room for what services add."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...model import Json
from ..part_files import lines_of

BYTES_PER_TOKEN = 32
"""On average over a file. English has 4; what is escaped in JSON has up to six times as much."""
LONGEST_TOKEN = 140
"""A token of white space stands for up to 128 characters, and a model may write nothing else."""
LOGPROB = 300
"""Bytes for each token and each alternative that is listed with it."""
MAX_OUTPUT_TOKENS = 131_072
"""The most tokens that a model writes if the request sets no limit."""
AROUND = 20_000
"""Bytes around an answer: ids, usage, filters, an error."""
MAX_TOTAL = 16_000_000_000
"""Bytes of all answers of a batch, whatever its requests ask for."""
EMBEDDING = 200_000
"""Bytes of one embedding: 8,192 numbers."""


class _Body(msgspec.Struct):
    max_tokens: Json = None
    max_completion_tokens: Json = None
    max_output_tokens: Json = None
    n: Json = None
    logprobs: Json = None
    top_logprobs: Json = None
    input: msgspec.Raw = msgspec.Raw(b"")


class _Request(msgspec.Struct):
    body: _Body
    url: str = ""


_decode = msgspec.json.Decoder(_Request).decode


class AnswerBounds(Struct, frozen=True):
    """Bytes of all answers together, and of the longest line."""

    total: int
    line: int


class LaterBounds:
    """The bounds of answers to a file of requests, calculated in a thread once they are needed, which is rare.

    Whatever the requests ask for, all answers together may have `least` bytes.
    """

    def __init__(self, file: Path, *, requests: int, size: int) -> None:
        self.least = min(MAX_TOTAL, requests * AROUND + 2 * size)
        self._file = file
        self._thread: threading.Thread | None = None
        self._bounds: AnswerBounds | None = None

    @property
    def begun(self) -> bool:
        """Whether the calculation has begun."""
        return self._thread is not None

    def begin(self) -> None:
        """Begin the calculation, if it has not begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._reckon, name="bounds of answers", daemon=True)
            self._thread.start()

    def get(self) -> AnswerBounds | None:
        """Return the bounds; None if the file is gone."""
        self.begin()
        assert self._thread is not None
        self._thread.join()
        return self._bounds

    def _reckon(self) -> None:
        self._bounds = answer_bounds(self._file)


def answer_bounds(requests: Path) -> AnswerBounds | None:
    """Return the bounds of the answers to a file of requests; None if the file is gone."""
    total = longest = 0
    try:
        for line in lines_of(requests):
            usual, most = _of(line)
            total += usual
            longest = max(longest, most)
    except FileNotFoundError:
        return None
    return AnswerBounds(min(MAX_TOTAL, total + longest), longest)


def _of(line: bytes) -> tuple[int, int]:
    try:
        request = _decode(line)
    except (ValueError, RecursionError):
        request = _Request(_Body())
    body = request.body
    around = AROUND + 2 * len(line)  # some services repeat the request
    if request.url.endswith("/embeddings"):
        inputs = bytes(body.input).lstrip()
        number = inputs.count(b",") + 1 if inputs.startswith(b"[") else 1
        return around + number * EMBEDDING, around + number * EMBEDDING
    limits = (body.max_completion_tokens, body.max_output_tokens, body.max_tokens)
    tokens = next((each for each in limits if type(each) is int and each > 0), MAX_OUTPUT_TOKENS)
    tokens *= _number(body.n, 1)
    listed = max(_number(body.top_logprobs, 0), _number(body.logprobs, 0), 1 if body.logprobs else 0)
    logprobs = LOGPROB * (listed + 1) if listed else 0
    return around + tokens * (BYTES_PER_TOKEN + logprobs), around + tokens * (LONGEST_TOKEN + logprobs)


def _number(value: Any, otherwise: int) -> int:
    return min(value, 1_000) if type(value) is int and value > 0 else otherwise
