"""Reads a model's answer into columns: as it is, in pieces, or as JSON of the requested schema."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from batchd import Failure, Json, Response

_decode = msgspec.json.Decoder().decode
_FENCED = re.compile(r"\s*```[A-Za-z]*[ \t]*\r?\n(.*?)\s*```\s*", re.DOTALL)
_QUOTED = 200
"""How many characters of an answer a message quotes."""


class Answers(ABC):
    """A way to read answers into `columns`."""

    columns: Sequence[str]

    @abstractmethod
    def read(self, text: str) -> Mapping[str, Json] | Failure:
        """The values of the columns, from the answer's text."""


class WholeText(Answers):
    """The whole text as one column."""

    def __init__(self, column: str) -> None:
        self.columns = (column,)

    def read(self, text: str) -> Mapping[str, Json]:
        """See Answers."""
        return {self.columns[0]: text}


class Separated(Answers):
    """One piece for each column, with a separator between them."""

    def __init__(self, columns: Sequence[str], separator: str) -> None:
        self.columns = tuple(columns)
        self._separator = separator

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        """See Answers."""
        pieces = text.strip().split(self._separator)
        if len(pieces) != len(self.columns):
            return unparsable(
                f"expected {len(self.columns)} pieces separated by {self._separator!r}, got {len(pieces)}", text
            )
        return {column: piece.strip() for column, piece in zip(self.columns, pieces, strict=True)}


class Structured(Answers):
    """A JSON object whose properties are the columns."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self.columns = tuple(schema["properties"])
        self._required = tuple(schema.get("required", self.columns))

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        """See Answers. JSON in a code fence is read too: models without structured output often write it so."""
        fenced = _FENCED.fullmatch(text)
        try:
            answer = _decode(fenced[1] if fenced else text)
        except (ValueError, RecursionError):
            return unparsable("expected JSON", text)
        if not isinstance(answer, dict):
            return unparsable("expected a JSON object", text)
        missing = [name for name in self._required if name not in answer]
        if missing:
            return unparsable(f"it has no {_listed(missing)}", text)
        extra = [name for name in answer if name not in self.columns]
        if extra:
            return unparsable(f"it has {_listed(extra)}, which the schema does not have", text)
        return {column: answer.get(column) for column in self.columns}


def unanswered(response: Response, text: str) -> Failure | None:
    """Why a response with this text is not an answer; None if it is one."""
    refusal, reason = response.refusal, response.finish_reason
    if refusal is not None:
        return Failure("refusal", f"The model declined to answer: {_quoted(refusal)}.")
    if reason == "content_filter":
        return Failure("content_filter", "The service's content filter held the answer back.")
    if reason == "length":
        return Failure(
            "length",
            "The answer was cut off at max_tokens. Ask for a higher limit, then drop the failed rows again. For the "
            "operator: raise max_tokens in the table [routes.NAME.params] of the route.",
        )
    if not text.strip():
        return Failure("no_text", "The model answered without any text.", transient=True)
    return None


def unparsable(what: str, text: str) -> Failure:
    """The failure for an answer in the wrong form. Models are random, so a retry may help."""
    return Failure("unparsable", f"The answer could not be read: {what}: {_quoted(text)}.", transient=True)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names[:10])


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")
