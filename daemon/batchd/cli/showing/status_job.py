"""`batchd status JOB`: one job in every detail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ...status.formatting import clean, local_time, money, money_at_most, one_line, short_count, span, troubled
from ...status.job_words import outcomes
from .cells import cells
from .folding import folded
from .status_lines import daemon_line

if TYPE_CHECKING:
    from ...status.overview import JobDetails
    from ...store.reading.records import BatchSummary

_LABEL = 11


def job_lines(survey: JobDetails, *, width: int | None = None) -> Iterator[str]:
    """Yield the details, a line each. With a `width`, lines are folded, but never inside a path or an id."""
    row = cells(survey.job, survey.around)
    state = click.style(row.state, fg=row.mood)
    yield f"{click.style(row.job, bold=True)}  {row.file}  {state}"
    for label, text in _facts(survey):
        yield from _folded(label, text, width)


def _folded(label: str, text: str, width: int | None) -> Iterator[str]:
    lines = clean(text).splitlines() or [""] if width is None else folded(clean(text), width - _LABEL - 2)
    for number, line in enumerate(lines):
        yield f"  {click.style((label if number == 0 else '').ljust(_LABEL), dim=True)}{line}"


def _facts(survey: JobDetails) -> Iterator[tuple[str, str]]:
    job, around = survey.job, survey.around
    if not job.final:
        yield "daemon", daemon_line(around)
        yield "waits for", around.waits_for(job) or "nothing"
        for each in survey.conditions():
            at = None if each.since is None else local_time(each.since)
            yield "!", f"{troubled(each.subject, at)}: {one_line(each.text)}"
    elif job.reason:
        yield "because", job.reason
    if job.route:
        yield "route", f"{job.route}: {job.provider}, {job.model}"
    if job.rows is not None:
        yield "rows", _rows(survey)
    if survey.failures:
        yield "failed", ", ".join(f"{rows:,} × {code}" for code, rows in survey.failures.items())
    yield from _money(survey)
    yield "received", _moment(job.claimed_at, around.now)
    expected = around.expected.get(job.id)
    if expected is not None:
        late = expected < around.now
        yield "usually", "it would be back by now" if late else f"back by {local_time(expected)}"
    if job.finished_at is not None:
        took = span(max(0.0, job.finished_at - job.claimed_at))
        yield "finished", f"{_moment(job.finished_at, around.now)}, {took} after it was received"
    if job.purged_at is not None:
        yield "purged", f"{_moment(job.purged_at, around.now)}: batchd keeps nothing of its rows"
    yield from _listed("batches", [_batch(batch) for batch in survey.batches])
    elsewhere = [f"{each.sink}: {each.receipt}" for each in survey.deliveries if each.receipt is not None]
    yield from _listed("results", [*survey.outputs(), *map(one_line, elsewhere)])
    original = survey.original()
    if original is not None:
        yield "original", original
    if job.sha256 is not None:
        yield "sha256", job.sha256
    yield "story", f"batchd events {job.id}"
    command = _next(survey)
    if command is not None:
        yield "next", command


def _next(survey: JobDetails) -> str | None:
    """The command that most people would run next; None if there is none."""
    job = survey.job
    if job.state == "held":
        return f"batchd approve {job.id}"
    if job.state == "failed" or (job.final and job.failed and job.purged_at is None):
        return f"batchd retry {job.id}"
    return "batchd run" if not job.final and survey.around.daemon is None else None


def _listed(label: str, items: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, item in enumerate(items):
        yield label if number == 0 else "", item


def _rows(survey: JobDetails) -> str:
    job = survey.job
    facts = outcomes(job)
    open_rows = (job.rows or 0) - job.ok - job.failed - job.skipped
    if open_rows and not job.final:
        ahead = job.answered - job.ok - job.failed - job.skipped
        facts.append(f"{open_rows:,} open{f' ({ahead:,} of them answered, not downloaded yet)' if ahead > 0 else ''}")
    return f"{job.rows or 0:,}: {', '.join(facts)}"


def _money(survey: JobDetails) -> Iterator[tuple[str, str]]:
    job, currency = survey.job, survey.around.currency(survey.job)
    cost = job.cost if job.tokens is not None and any(job.tokens) else None
    facts = [] if cost is None else [f"{money(cost, currency)}{'' if job.final else ' so far'}"]
    facts += [] if job.estimated_cost is None else [f"estimated {money_at_most(job.estimated_cost, currency)}"]
    if facts:
        yield "cost", ", ".join(facts)
    tokens = job.tokens
    if tokens is not None and (tokens.input or tokens.output):
        cached = f" ({tokens.cached:,} cached)" if tokens.cached else ""
        lost = tokens.wasted_input + tokens.wasted_output
        wasted = f"; {short_count(lost)} of them answered no row" if lost else ""
        yield "tokens", f"{tokens.input:,} in{cached}, {tokens.output:,} out{wasted}"


def _batch(batch: BatchSummary) -> str:
    phase = f" ({batch.phase})" if batch.phase else ""
    facts = [f"{batch.key}: {batch.state}{phase}, {batch.completed + batch.failed:,} of {batch.requests:,} answered"]
    facts += [f"provider id {one_line(batch.remote)}"] if batch.remote else []
    facts += [f"also {one_line(', '.join(batch.extra_remotes))}"] if batch.extra_remotes else []
    facts += [f"sent {local_time(batch.submitted_at)}"] if batch.submitted_at is not None else []
    if batch.state in {"ended", "held"} and batch.answers_until is not None:
        facts += [f"its answers can be had until {local_time(batch.answers_until)}"]
    if batch.state == "submitted":
        facts += [f"last news {local_time(batch.progress_at)}"] if batch.progress_at is not None else []
        facts += [f"stopping since {local_time(batch.stopping_at)}"] if batch.stopping_at is not None else []
    return ", ".join(facts) + (f": {one_line(batch.reason)}" if batch.reason else "")


def _moment(at: float, now: float) -> str:
    return f"{local_time(at)}, {span(max(0.0, now - at))} ago"
