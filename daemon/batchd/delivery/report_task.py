"""The report of a job, from the summaries of its parts, as JSON and as a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from ..model import Json
from ..people.language import Language
from ..work.collecting.summary import AnswerSummary, ColumnSummary, SummaryTask, merged, read_summary, summarize_part

MAX_VALUES = 50
"""How many values of a column the report has, the most frequent ones; the others are counted together."""
MIN_TEXTS = 5
"""A column with at least so many different texts, on average in fewer than two rows each, holds free text."""
BINS = 10


class ReportTask(Struct, frozen=True):
    """Add the summary of the answers to the `report`, and make the page `name` of it if there is a `language`.

    `parts` say where the summary of each part is, and from what to make a missing one. `columns` are those of answers.
    """

    report: Mapping[str, Json]
    parts: Sequence[SummaryTask]
    columns: Sequence[str]
    name: str
    language: Language | None


class ReportDone(Struct, frozen=True):
    """The whole report, and the page if there is one. `fault` says why a wanted page could not be made."""

    report: dict[str, Json]
    page: bytes | None = None
    fault: str | None = None


def make_report(task: ReportTask) -> ReportDone:
    """Merge the summaries and write the page. Runs in a worker."""
    whole = merged([read_summary(Path(part.target)) or summarize_part(part) for part in task.parts])
    answers = answers_of(whole, task.columns)
    report = {
        **task.report,
        "answers": answers,
        "more_answer_columns": len(task.columns) - len(answers) if answers else 0,
        "failures": failures_of(whole),
    }
    if task.language is None:
        return ReportDone(report)
    from .report_html import report_html

    try:
        page = report_html(report, task.language, name=task.name)
    except Exception as error:  # noqa: BLE001  # the page is extra: without it the job is done all the same
        return ReportDone(report, fault=f"{type(error).__name__}: {error}")
    return ReportDone(report, page)


def answers_of(summary: AnswerSummary, names: Sequence[str]) -> list[dict[str, Json]]:
    """A record for each column, in their order."""
    return [_column(column, name) for column, name in zip(summary.columns, names, strict=False)]


def _column(column: ColumnSummary, name: str) -> dict[str, Json]:
    values = sorted((column.values or {}).items(), key=lambda item: (-item[1], item[0]))
    rows = sum(number for _, number in values)
    free = column.texts > 0 and (column.values is None or (len(values) >= MIN_TEXTS and rows < 2 * len(values)))
    shown = [] if free else values[:MAX_VALUES]
    return {
        "column": name,
        "values": [{"value": value, "rows": number} for value, number in shown],
        "other_values": {"values": len(values) - len(shown), "rows": sum(n for _, n in values[len(shown) :])}
        if shown and len(values) > len(shown)
        else None,
        "numbers": _numbers(column) if column.numbers else None,
        "texts": {
            "rows": column.texts,
            "characters": round(column.characters / column.texts),
            "examples": list(column.examples),
        }
        if free
        else None,
        "empty": column.empty,
    }


def _numbers(column: ColumnSummary) -> dict[str, Json]:
    low, high = column.low or 0.0, column.high or 0.0
    return {
        "rows": column.numbers,
        "low": low,
        "high": high,
        "mean": column.total / column.numbers,
        "bins": _bins({float(value): rows for value, rows in column.rounded.items()}, low, high),
    }


def _bins(rounded: dict[float, int], low: float, high: float) -> list[Json]:
    """Count rows by range of numbers, `from` included. A few small whole numbers, such as marks, get a bin each."""
    if len(rounded) <= MAX_VALUES // 4 and all(value.is_integer() and abs(value) < 100 for value in rounded):
        return [{"from": value, "to": value, "rows": rounded[value]} for value in sorted(rounded)]
    # Calculate with halves and tenths, since the difference of two floats may be too large for a float.
    step, half = high / BINS - low / BINS, high / 2 - low / 2
    counts = [0] * BINS
    for value, rows in rounded.items():
        beyond = min(max(value, low), high) / 2 - low / 2
        counts[min(int(BINS * (beyond / half)), BINS - 1) if half else 0] += rows
    return [{"from": low + step * n, "to": low + step * (n + 1), "rows": rows} for n, rows in enumerate(counts)]


def failures_of(summary: AnswerSummary) -> list[dict[str, Json]]:
    """Failed rows by code, the most frequent first, each with sentences as examples."""
    return [
        {
            "code": code,
            "rows": failed.rows,
            "first_row": failed.examples[0][0],
            "example": failed.examples[0][1],
            "examples": [{"row": row, "message": message} for row, message in failed.examples],
        }
        for code, failed in sorted(summary.failed.items(), key=lambda item: (-item[1].rows, item[0]))
    ]
