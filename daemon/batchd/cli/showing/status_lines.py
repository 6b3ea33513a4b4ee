"""`batchd status` for a pipe: a line for each thing, nothing shortened, nothing coloured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...status.formatting import count, local_time, one_line, troubled
from .cells import plain_line

if TYPE_CHECKING:
    from ...status.overview import Overview


def daemon_line(survey: Overview) -> str:
    """Say whether a daemon is running, and if not, how to start one."""
    daemon = survey.daemon
    if daemon is not None:
        return f"The daemon is running{f' (process {daemon.process})' if daemon.process is not None else ''}."
    if survey.unfinished:
        return "No daemon is running. Jobs go on when it is started: batchd run"
    return "No daemon is running. To start it: batchd run"


def none_line(survey: Overview) -> str:
    return "No job matches." if survey.chosen else "No file has been received yet."


def older_line(survey: Overview) -> str | None:
    if not survey.older:
        return None
    return f"{count(survey.older, 'older job')} {'is' if survey.older == 1 else 'are'} finished: batchd status --all"


def limit_lines(survey: Overview) -> Iterator[str]:
    """The limits of providers, as far as batchd has learned them from refusals."""
    for each in survey.limits:
        limits = [f"{each.requests:,} requests a batch"] if each.requests is not None else []
        limits += [f"{each.size:,} bytes a batch"] if each.size is not None else []
        limits += [f"{each.tokens:,} enqueued tokens"] if each.tokens is not None else []
        if limits:
            yield f"{each.provider} takes at most {', '.join(limits)} of {each.model}, as its refusals showed."


def more_line(survey: Overview, most: int | None) -> str | None:
    left = 0 if most is None else len(survey.unfinished) - most
    return None if left <= 0 else f"{count(left, 'more job')} under way: batchd status --limit 0"


def totals_line(survey: Overview) -> str | None:
    """The totals; None if no file has been received yet."""
    if survey.totals is None or not (survey.unfinished or survey.finished or survey.older):
        return None
    return survey.totals.sentences


def plain_lines(survey: Overview, *, most: int | None = None) -> Iterator[str]:
    """Yield totals and conditions first, then the jobs under way, then those finished last."""
    yield daemon_line(survey)
    if (totals := totals_line(survey)) is not None:
        yield one_line(totals)
    for each in survey.conditions:
        at = None if each.since is None else local_time(each.since)
        yield f"{troubled(each.subject, at)}: {one_line(each.text)}"
    yield from limit_lines(survey)
    for job in survey.unfinished[:most]:
        yield plain_line(job, survey)
    if (more := more_line(survey, most)) is not None:
        yield more
    for job in survey.finished:
        yield plain_line(job, survey)
    if not survey.unfinished and not survey.finished:
        yield none_line(survey)
    if (older := older_line(survey)) is not None:
        yield older
