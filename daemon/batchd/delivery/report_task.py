"""The report of a job, from what its parts were summarized to, as JSON and as a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from ..model import Json
from ..people.language import Language
from ..work.collecting.summary import SummaryTask, merged, read_summary, summarize_part
from .answer_columns import answers_of, failures_of


class ReportTask(Struct, frozen=True):
    """Complete the `report` by what the answers are like, and make the page `name` of it if there is a `language`.

    `parts` say where the summary of each is, and from what to make it if it is not there. `columns` are the answer's.
    """

    report: Mapping[str, Json]
    parts: Sequence[SummaryTask]
    columns: Sequence[str]
    name: str
    language: Language | None


class ReportDone(Struct, frozen=True):
    """The whole report, and the page if there is one. `fault` is why there is none though there should be."""

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
