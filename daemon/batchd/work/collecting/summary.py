"""What a part's answers are like, column by column: counted while they are collected, merged when the job is done."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from ...answers.joining import ResultLine
from ...model import Json
from ..part_files import read_results

MAX_VALUES = 500
"""Different values of a column that are counted one by one. A column with more has free text, or numbers."""
MAX_LENGTH = 80
"""Characters of a value that are kept."""
MAX_COLUMNS = 50
"""Answer columns that are counted; the others are named only."""
EXAMPLES = 3


class ColumnSummary(msgspec.Struct, array_like=True):
    """The values of one answer column.

    `values` counts texts, truth values and items of lists, None once there were more than MAX_VALUES; `rounded` counts
    numbers rounded to two digits, so that there are few. `empty` rows have no value.
    """

    values: dict[str, int] | None = msgspec.field(default_factory=dict)
    rounded: dict[str, int] = msgspec.field(default_factory=dict)
    texts: int = 0
    characters: int = 0
    numbers: int = 0
    total: float = 0.0
    low: float | None = None
    high: float | None = None
    empty: int = 0
    examples: list[str] = msgspec.field(default_factory=list)

    def add_many(self, values: Sequence[Json]) -> None:
        """Count values as `add` counts each, in order. If they are texts and many are the same, each is read once."""
        if self.values is None or set(map(type, values)) != {str}:
            for value in values:
                self.add(value)
            return
        counts = Counter(values)
        if len(counts) > len(values) // 2:
            for value in values:
                self._text(value)
            return
        if len(self.examples) < EXAMPLES:
            texts = (value for value in values if value and not value.isspace())
            self.examples += map(_short, islice(texts, EXAMPLES - len(self.examples)))
        for text, number in counts.items():
            if not text or text.isspace():
                self.empty += number
                continue
            self.texts += number
            self.characters += number * len(text)
            self._count(text if len(text) <= MAX_LENGTH else _short(text), number)

    def add(self, value: Json) -> None:
        """Count a value. Its JSON type says whether it is a number or a text."""
        if type(value) is str:
            self._text(value)
        elif value is None:
            self.empty += 1
        elif isinstance(value, bool):
            self._count("true" if value else "false")
        elif isinstance(value, int | float):
            self._number(value)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            if not value:
                self.empty += 1
            for item in value:
                self._text(str(item))
        else:
            self._text(msgspec.json.encode(value).decode(errors="replace"))

    def _text(self, text: str) -> None:
        if not text or text.isspace():
            self.empty += 1
            return
        self.texts += 1
        self.characters += len(text)
        if len(self.examples) < EXAMPLES:
            self.examples.append(_short(text))
        self._count(text if len(text) <= MAX_LENGTH else _short(text))

    def _count(self, text: str, number: int = 1) -> None:
        values = self.values
        if values is None:
            return
        values[text] = values.get(text, 0) + number
        if len(values) > MAX_VALUES:
            self.values = None

    def _number(self, value: float) -> None:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self._text(str(value))
            return
        self.numbers += 1
        self.total += number
        self.low, self.high = _of_both(min, self.low, number), _of_both(max, self.high, number)
        rounded = f"{number:.2g}"
        self.rounded[rounded] = self.rounded.get(rounded, 0) + 1

    def merge(self, more: ColumnSummary) -> None:
        """Add what the column has in a later part."""
        self.values = _together(self.values, more.values)
        self.rounded = dict(Counter(self.rounded) + Counter(more.rounded))
        self.texts += more.texts
        self.characters += more.characters
        self.numbers += more.numbers
        self.total += more.total
        self.low, self.high = _of_both(min, self.low, more.low), _of_both(max, self.high, more.high)
        self.empty += more.empty
        self.examples = [*self.examples, *more.examples][:EXAMPLES]


class Failed(msgspec.Struct, array_like=True):
    """Rows that failed for one reason; the first three of them with their sentences."""

    rows: int = 0
    examples: list[tuple[int, str]] = msgspec.field(default_factory=list)


class AnswerSummary(msgspec.Struct, array_like=True):
    """The summary of a part, or of a job."""

    columns: list[ColumnSummary]
    failed: dict[str, Failed] = msgspec.field(default_factory=dict)


class SummaryTask(Struct, frozen=True):
    """Summarize a results file, None if there is none, into `target`. Answers have this number of `columns`."""

    results: str | None
    columns: int
    target: str


def summarize_part(task: SummaryTask) -> AnswerSummary:
    """Return the summary of a part, and write it to the task's target."""
    summary = summarize(read_results(Path(task.results)) if task.results else (), task.columns)
    with contextlib.suppress(OSError):
        write_summary(Path(task.target), summary)
    return summary


def write_summary(target: Path, summary: AnswerSummary) -> None:
    """Write the summary. What a crash leaves of it cannot be read, so it is written again."""
    target.write_bytes(msgspec.json.encode(summary))


def read_summary(path: Path) -> AnswerSummary | None:
    """The summary of a part; None if there is none, or what a power cut left of one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AnswerSummary)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def summarize(lines: Iterable[ResultLine], columns: int) -> AnswerSummary:
    """Summarize these outcomes."""
    counted = [ColumnSummary() for _ in range(min(columns, MAX_COLUMNS))]
    failed: dict[str, Failed] = {}
    answers: list[Sequence[Json]] = []
    for line in lines:
        if line.ok:
            answers.append(line.answer)
            if len(answers) == _TOGETHER:
                _count_answers(counted, answers)
                answers.clear()
        elif not line.skipped:
            reason = failed.setdefault(line.code or "error", Failed())
            reason.rows += 1
            if len(reason.examples) < EXAMPLES:
                reason.examples.append((line.row, line.message or ""))
    _count_answers(counted, answers)
    return AnswerSummary(counted, failed)


_TOGETHER = 1_000
"""How many answers are counted together, one column after the other."""


def _count_answers(counted: Sequence[ColumnSummary], answers: Sequence[Sequence[Json]]) -> None:
    if len(set(map(len, answers))) == 1:
        for column, values in zip(counted, zip(*answers, strict=True), strict=False):
            column.add_many(values)
        return
    for answer in answers:
        for column, value in zip(counted, answer, strict=False):
            column.add(value)


def merged(summaries: Sequence[AnswerSummary]) -> AnswerSummary:
    """The summary of all rows, from those of the parts in their order."""
    whole = AnswerSummary([ColumnSummary() for _ in range(max((len(each.columns) for each in summaries), default=0))])
    for part in summaries:
        for column, more in zip(whole.columns, part.columns, strict=False):
            column.merge(more)
        for code, reason in part.failed.items():
            known = whole.failed.setdefault(code, Failed())
            known.rows += reason.rows
            known.examples = [*known.examples, *reason.examples][:EXAMPLES]
    return whole


def _together(values: dict[str, int] | None, more: dict[str, int] | None) -> dict[str, int] | None:
    if values is None or more is None:
        return None
    both = Counter(values) + Counter(more)
    return dict(both) if len(both) <= MAX_VALUES else None


def _of_both(choose: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    return choose(one, other) if one is not None and other is not None else one if other is None else other


def _short(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"
