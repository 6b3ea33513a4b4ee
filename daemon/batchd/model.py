"""The values that plugins and daemon exchange: rows, outcomes of requests, batches as a provider reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from .bodies.content import choice_of, error_of, refusal_of, text_of, thinking_of, tool_arguments, word_for_the_end
from .bodies.finishing import Ending, ending_of
from .bodies.thinking import without_thinking
from .bodies.usage import BilledTokens, count_tokens
from .bodies.usage import Usage as Usage

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, and lists and dicts (with str keys) of these."""

Body: TypeAlias = dict[str, Json]
"""The body of one request, without what the route adds (`model` and its `params`)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row has no answer: a code for machines, a sentence for people.

    `transient` means that asking again may help; batchd asks such a row again until its attempts are used up. For an
    answer in the wrong form, `correction` says what is wrong with it: when batchd asks again, it sends the model that
    and its answer. `answer` has values that the columns get all the same if the row fails in the end.
    """

    code: str
    message: str
    transient: bool = False
    correction: str = field(default="", compare=False)
    answer: Mapping[str, Json] = field(default_factory=dict, compare=False)


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
"""The most digits of a row's number. No file has so many rows."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a dropped file is written, so that its rows can be written in the same form.

    `form` is its kind: `csv`, `jsonl`, `xlsx`, ... `details` is what else a sink of that form needs, as JSON.
    `encoding` is a Python codec that writes no byte order mark by itself; `mark` says that the file begins with one.
    `guessed`: the encoding is not known from a mark or a setting. `quoting` says which cells are in quotes: `minimal`
    (those that must be), `all`, or `text` (all but numbers). An empty `quote` means that there are no quotes. `escape`
    comes before a quote within quotes; None: such a quote is doubled. `declared` says that the first line names the
    delimiter, as Excel's `sep=;` does, and `above` how many more lines are above the header. `skip_spaces`: spaces
    before a cell are not part of it.
    """

    encoding: str = "utf-8"
    mark: bool = False
    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    line_end: str = "\n"
    declared: bool = False
    above: int = 0
    skip_spaces: bool = False
    form: str = "csv"
    guessed: bool = False
    quoting: str = "minimal"
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        """Whether the file is a table as text, with a delimiter."""
        return self.form in {"csv", "tsv"}


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that the service billed: the unchanged body, from any of the OpenAI endpoints."""

    body: Mapping[str, Json]
    status_code: int = 200

    @property
    def text(self) -> str | None:
        """The text of the answer (chat, responses or completions) as it came, None if it has none."""
        return text_of(self.body)

    @property
    def answer(self) -> str | None:
        """The text without the model's thinking at its front."""
        text = self.text
        return None if text is None else without_thinking(text)

    @property
    def thinking(self) -> str | None:
        """The model's thinking if it came in a field of its own, else None."""
        return thinking_of(self.body)

    @property
    def tool_arguments(self) -> Sequence[Json]:
        """The arguments of each call of a tool, usually as JSON text; empty if the model called none."""
        return tuple(tool_arguments(self.body))

    @property
    def refusal(self) -> str | None:
        """The model's text if it declined to answer, else None."""
        return refusal_of(self.body)

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, in the service's word: `stop`, `length`, ...; None if it does not say."""
        word = word_for_the_end(self.body)
        if not isinstance(word, str) or (choice_of(self.body) is None and word in {"completed", "incomplete"}):
            return None
        return "length" if word == "max_output_tokens" else word

    @property
    def usage(self) -> Usage | None:
        """The tokens as the service counted them, None if it does not say."""
        return self.counted.whole()

    @property
    def counted(self) -> BilledTokens:
        """The same as far as the service counts: it may count only the input, or only the output."""
        body = self.body
        counted = count_tokens(body.get("usage") or body.get("usageMetadata"))
        if counted.output_tokens:
            return counted
        if choice_of(body) is None and "output" not in body:
            # Embeddings and moderations, whose output has no tokens.
            return counted if counted.input_tokens is None else replace(counted, output_tokens=0)
        # An answer has used tokens, so a zero is from a service that does not count them.
        return replace(counted, output_tokens=None) if self.text or self.tool_arguments else counted

    @property
    def failure(self) -> Failure | None:
        """Why this is not a whole answer, None if it is one. Check this before reading the answer."""
        refusal = self.refusal
        if refusal is not None:
            return Failure("refusal", f"The model declined to answer: {quoted(refusal)}.")
        word = word_for_the_end(self.body)
        error = error_of(self.body)
        if word is None and error is None:
            return None
        return ended(ending_of(word), str(word), error, self.text)


def ended(ending: Ending, word: str, error: Json, text: str | None) -> Failure | None:
    """Why an answer that ended in this way is not a whole one, None if it is one."""
    code, message = word, ""
    if ending in {Ending.BROKEN, Ending.UNKNOWN} and isinstance(error, dict):
        code = str(error.get("code") or error.get("type") or word)
        message = str(error.get("message") or "")
        named = ending_of(code)
        # A number is the HTTP status of another service, behind this one.
        ending = named if named is not Ending.WHOLE and not code.isdigit() else Ending.BROKEN
    if ending is Ending.WHOLE:
        return None
    if ending is Ending.CUT:
        thinking = (
            "" if text and text.strip() else " Nothing was left for the answer, so the model's thinking used it up."
        )
        return Failure(
            "length",
            f"The answer was cut off at max_tokens.{thinking} Ask for a higher limit, then drop the failed rows again. "
            "For the operator: raise max_tokens in the table [routes.NAME.params] of the route.",
        )
    if ending is Ending.FILTERED:
        return Failure("content_filter", f"The service's content filter held the answer back ({word[:100]}).")
    because = f": {message[:1_000].rstrip('.')}" if message else ""
    if ending is Ending.BROKEN:
        return Failure(
            code[:100], f"The service broke off while it answered this row ({word[:100]}){because}.", transient=True
        )
    kept = f" What it wrote is not taken for an answer: {quoted(text)}." if text else ""
    return Failure(
        code[:100], f"The answer ended for a reason that batchd does not know: {quoted(code)}{because}.{kept}"
    )


def quoted(text: str, most: int = 200) -> str:
    """The beginning of a text, as a message quotes it."""
    return repr(text if len(text) <= most else f"{text[:most]}…")


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one request: a Response or a Failure."""

    custom_id: str
    outcome: Response | Failure


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
    """An error that a provider reports for a whole batch. `line` counts the input file's lines from 1, if given.

    `param` is the parameter that the provider names as the cause, if any.
    """

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A provider's report on one of our batches.

    The counts only serve to show progress: providers get them wrong, so batchd decides nothing by them.
    `details` is the provider plugin's own note (JSON); batchd stores it and hands it back with the batch.
    `answers_until` is when the service deletes the answers (seconds since 1970), None if it is not known.
    """

    phase: BatchPhase
    total: int = 0
    completed: int = 0
    failed: int = 0
    problems: tuple[Problem, ...] = ()
    usage: Usage | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
    answers_until: float | None = None


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


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch on its way to the provider.

    `key` is batchd's name for the batch, and is never reused. `file` holds one request per line, in OpenAI's batch
    format: `{"custom_id", "method", "url", "body"}`. `size` is in bytes, `timeout` in seconds. `upload` is the
    return value of `BatchProvider.upload`, if it was called. `attempt` counts the uploads, from 1. `create_key` stays
    the same when batchd repeats a create of unknown outcome, and changes after any definite answer: for a header such
    as `Idempotency-Key`. `rows_key` is the same for all batches that ask the same rows, whatever their `key`.
    """

    key: str
    file: Path
    requests: int
    size: int
    model: str
    endpoint: str
    attempt: int = 1
    upload: str | None = None
    timeout: float = 60.0
    create_key: str = ""
    rows_key: str = ""

    def requests_in_file(self) -> Iterator[dict[str, Json]]:
        """The requests, decoded, one at a time."""
        import msgspec  # here, to keep `import batchd` fast

        decoder = msgspec.json.Decoder(dict[str, Any])
        with self.file.open("rb") as lines:
            for line in lines:
                yield decoder.decode(line)


@dataclass(frozen=True, slots=True)
class Purged:
    """The outcome of deleting the files that a service keeps of a batch.

    `deleted` are ids of what was deleted now, `absent` ids that the service does not know. `problems` are sentences
    about what is left.
    """

    deleted: Sequence[str] = ()
    absent: Sequence[str] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch that the provider has: the provider's `id`, batchd's `key`, and the `details` of its last status."""

    id: str
    key: str
    details: Mapping[str, Json]
