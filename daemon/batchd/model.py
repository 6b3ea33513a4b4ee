"""The values that plugins and daemon exchange: rows, outcomes of requests, batches as a provider reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, and lists and dicts (with str keys) of these."""

Body: TypeAlias = dict[str, Json]
"""The body of one request, without what the route adds (`model` and its `params`)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row has no answer: a code for machines, a sentence for people.

    `transient` means that asking again may help; batchd asks such a row again until its attempts are used up.
    """

    code: str
    message: str
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a dropped file: its number (from 0) and its values in the order of `columns`."""

    number: int
    columns: Sequence[str]
    values: Sequence[Json]

    def __getitem__(self, column: str) -> Json:
        """The value in `column`; KeyError if the file has no such column."""
        try:
            return self.values[self.columns.index(column)]
        except ValueError:
            raise KeyError(column) from None

    def as_dict(self) -> dict[str, Json]:
        """Column to value."""
        return dict(zip(self.columns, self.values, strict=True))


MAX_DIGITS = 18
"""Digits of a row's number: more rows than any file has."""


class RequestId(NamedTuple):
    """The row and the job that a request is about. Its text is the `custom_id` of the request, which is never reused.

    >>> str(RequestId("k3j9x2ab", 4))
    'k3j9x2ab-4'
    >>> RequestId.read("k3j9x2ab-4")
    RequestId(job='k3j9x2ab', row=4)
    """

    job: str
    row: int

    def __str__(self) -> str:
        return f"{self.job}-{self.row}"

    @classmethod
    def read(cls, custom_id: str) -> RequestId | None:
        """The job and row of a `custom_id`; None if it is not one of batchd's."""
        job, dash, number = custom_id.rpartition("-")
        if not dash or not number.isascii() or not number.isdigit() or (number != "0" and number[0] == "0"):
            return None
        if len(number) > MAX_DIGITS:
            return None  # int() raises ValueError for thousands of digits, and a service may send them
        return cls(job, int(number))

    @staticmethod
    def beginning(job: str) -> str:
        """What the `custom_id`s of all rows of a job begin with; the number follows."""
        return f"{job}-"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record that cannot be a Row: its values, as far as they could be read, and the reason.

    There may be fewer or more `values` than columns; the user gets them back as they are.
    """

    values: Sequence[Json]
    failure: Failure


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request or many. `cached_tokens` is the part of `input_tokens` served from a cache."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that the service billed: the unchanged body, from any of the OpenAI endpoints."""

    body: Mapping[str, Json]
    status_code: int = 200

    @property
    def text(self) -> str | None:
        """The text of the answer (chat, responses or completions), None if it has none."""
        choice = self._choice
        if choice is not None:
            message = choice.get("message")
            text = message.get("content") if isinstance(message, dict) else choice.get("text")
            if isinstance(text, str):
                return text
            return "".join(_texts(text, "text")) or None
        return "".join(self._output("text")) or None

    @property
    def refusal(self) -> str | None:
        """The model's text if it declined to answer, else None."""
        choice = self._choice
        if choice is None:
            return "".join(self._output("refusal")) or None
        message = choice.get("message")
        refusal = message.get("refusal") if isinstance(message, dict) else None
        return refusal if isinstance(refusal, str) and refusal else None

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped: `stop`, `length`, `content_filter`, ... (chat), None if it does not say."""
        choice = self._choice
        if choice is not None:
            reason = choice.get("finish_reason")
            return reason if isinstance(reason, str) else None
        if self.body.get("status") == "incomplete":
            details = self.body.get("incomplete_details")
            reason = details.get("reason") if isinstance(details, dict) else None
            if not isinstance(reason, str):
                return None
            return "length" if reason == "max_output_tokens" else reason
        return None

    @property
    def usage(self) -> Usage | None:
        """The tokens as the service counted them, None if it does not say."""
        usage = self.body.get("usage")
        if not isinstance(usage, dict):
            return None
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else 0
        return Usage(
            input_tokens=_count(usage.get("prompt_tokens")) or _count(usage.get("input_tokens")),
            cached_tokens=_count(cached),
            output_tokens=_count(usage.get("completion_tokens")) or _count(usage.get("output_tokens")),
        )

    @property
    def _choice(self) -> Mapping[str, Json] | None:
        choices = self.body.get("choices")
        first = choices[0] if choices and isinstance(choices, list) else None
        return first if isinstance(first, dict) else None

    def _output(self, kind: str) -> Iterator[str]:
        output = self.body.get("output")
        for item in output if isinstance(output, list) else ():
            # Other items hold text as well: the model's reasoning, its calls of tools.
            if isinstance(item, dict) and item.get("type", "message") == "message":
                yield from _texts(item.get("content"), kind)


def _texts(content: Json, kind: str) -> Iterator[str]:
    """The texts (or refusals) in a message that comes in pieces."""
    for piece in content if isinstance(content, list) else ():
        if isinstance(piece, dict) and isinstance(piece.get(kind), str):
            yield piece[kind]


def _count(value: Json) -> int:
    return value if type(value) is int and value > 0 else 0


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one request: a Response or a Failure."""

    custom_id: str
    outcome: Response | Failure


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that an executor runs on. `plugins` are the distributions with plugins, and their versions."""

    name: str
    batchd: str
    python: str
    plugins: Mapping[str, str] = field(default_factory=dict)


class BatchPhase(StrEnum):
    """Where a batch is at its provider, in OpenAI's words."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True once the provider has stopped working on the batch. There may be answers to download."""
        return self in _ENDED


_ENDED = frozenset({BatchPhase.COMPLETED, BatchPhase.FAILED, BatchPhase.EXPIRED, BatchPhase.CANCELLED})


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a provider reports for a whole batch. `line` counts the input file's lines from 1, if given."""

    code: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A provider's report on one of our batches.

    The counts only serve to show progress: providers get them wrong, so batchd decides nothing by them.
    `details` is the provider plugin's own note (JSON); batchd stores it and hands it back with the batch.
    """

    phase: BatchPhase
    total: int = 0
    completed: int = 0
    failed: int = 0
    problems: tuple[Problem, ...] = ()
    usage: Usage | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a provider; None means no limit. The operator's config overrides each one.

    `max_requests` is per batch. `max_bytes` and `max_line_bytes` are bytes of the input file and of one line of it.
    `max_enqueued_tokens` is the sum of input tokens in all unfinished batches of one model.
    """

    max_requests: int = 50_000
    max_bytes: int = 95_000_000
    max_line_bytes: int | None = 1_000_000
    max_enqueued_tokens: int | None = None


class RowStatus(StrEnum):
    """The outcome of a row."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
