"""Reads many answers at once, where nothing about a line is odd: a text that was finished, and its tokens.

It decodes only what is used, and makes no Response. A line that differs in any way is left to `meaning`. For all other
lines, `meaning` gives the same result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from ..bodies.usage import MAX_TOKENS
from ..contracts import PromptBuilder
from ..model import Json
from .usual_lines import SuccessLine, TextChoice
from .usual_responses import MARK, text_of_responses

Tokens: TypeAlias = tuple[int, int, int]
"""Input tokens, those of them that were cached, and output tokens."""

_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]


class _InputDetails(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    cached_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    audio_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    reasoning_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    audio_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Finished(TextChoice, gc=False, kw_only=True):
    finish_reason: Literal["stop"]


class _Body(msgspec.Struct, gc=False):
    choices: tuple[_Finished]
    usage: _Usage
    error: None = None


_decode = msgspec.json.Decoder(SuccessLine[_Body]).decode
_encode = msgspec.json.Encoder().encode
_TOGETHER = 500
"""How many answers are encoded together, to see whether they can be stored."""


def usual_text(line: bytes) -> tuple[str, Tokens] | None:
    """The text of an answer with the tokens that were counted for it; None if the line is not of the usual kind."""
    try:
        if not line.isascii():
            line.decode()  # the decoder does not check what it skips
        if MARK in line:
            return text_of_responses(line)
        body = _decode(line).response.body
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are subclasses of ValueError
        return None
    usage = body.usage
    given, written, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if total is not None and total != given + written:
        return None
    details = usage.completion_tokens_details
    if details is not None and details.reasoning_tokens > written:
        return None
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details is not None else 0
    return (body.choices[0].message.content, (given, cached, written)) if cached <= given else None


@dataclass(slots=True)
class UsualTexts:
    """Rows with one usual answer each: its text, its tokens, and the line itself as it is kept with the outcome."""

    rows: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    tokens: list[Tokens] = field(default_factory=list)
    lines: list[msgspec.Raw] = field(default_factory=list)

    def without(self, rows: Collection[int]) -> UsualTexts:
        """Return all but these rows."""
        kept = [place for place, row in enumerate(self.rows) if row not in rows]
        columns: list[Any] = [self.rows, self.texts, self.tokens, self.lines]
        return UsualTexts(*([column[place] for place in kept] for column in columns))


def cells_of(usual: UsualTexts, builder: PromptBuilder[Any], at: Callable[[int], None]) -> list[list[Json] | None]:
    """Return the answers in the builder's column order; None for each that `parse` must read.

    `at` is called with each row before the builder reads its answer.
    """
    width, cells = len(builder.columns), []

    def texts() -> Iterator[str]:
        for row, text in zip(usual.rows, usual.texts, strict=True):
            at(row)
            yield text

    # After an exception, the other answers are left to `parse`, which says what is wrong.
    with contextlib.suppress(Exception, SystemExit):
        for values in builder.parse_many(texts()):
            cells.append(values if type(values) is list and len(values) == width else None)  # noqa: PERF401  # kept if one raises
    cells = cells[: len(usual.rows)]
    cells += [None] * (len(usual.rows) - len(cells))
    for start in range(0, len(cells), _TOGETHER):
        if not _storable(cells[start : start + _TOGETHER]):
            for place in range(start, min(start + _TOGETHER, len(cells))):
                if not _storable(cells[place]):
                    cells[place] = None
    return cells


def _storable(value: Json) -> bool:
    try:
        _encode(value)
    except Exception:  # noqa: BLE001  # objects of a plugin may raise anything
        return False
    return True
