"""`batchd status`: where each file is, how far, and what it costs."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .call import Call, Option, as_moment, echo_json, json_option, pass_call
from .naming import complete_any

if TYPE_CHECKING:
    from ..status.overview import JobDetails, JobFilter, Overview
    from ..status.places import Places

LOOK_EVERY = 1.0
MIN_JOBS, BESIDE_JOBS = 5, 18
"""Jobs under way that are shown on the smallest terminal, and the lines that all else takes."""


@click.command()
@click.argument("job", required=False, shell_complete=complete_any)
@click.option("--watch", "-w", is_flag=True, help="Look again every second, until Ctrl-C or until JOB is finished.")
@click.option("--all", "everything", cls=Option, is_flag=True, help="All finished jobs, not only the last few.")
@click.option("--held", is_flag=True, help="Only jobs that wait for a person.")
@click.option("--failed", is_flag=True, help="Only jobs that failed, or have rows that failed.")
@click.option("--route", metavar="NAME", help="Only jobs of this route.")
@click.option(
    "--since", callback=as_moment, metavar="WHEN", help="Only files that came since then: a day, or how long ago."
)
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N jobs; 0 for all.")
@json_option
@pass_call
def status(
    call: Call,
    job: str | None,
    *,
    watch: bool,
    everything: bool,
    held: bool,
    failed: bool,
    route: str | None,
    since: float | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show where each file is, how far it is, and what it costs.

    First come the totals, and what keeps batchd waiting: a provider that is down, a refused key, a full disk. Then the
    jobs under way, those first that wait for a person. On a terminal as many are shown as it has room for.

    With JOB it shows everything about that job: its batches with the provider's ids, and where its results are.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd status
      batchd status --watch
      batchd status --failed --since 7d
      batchd status may.csv
      batchd status --json | jq '.jobs[] | select(.rows.failed > 0)'
    """
    places = call.places()
    from ..status.overview import FINISHED_SHOWN, JobFilter

    wanted = JobFilter(
        route=route,
        since=since,
        held=held,
        failed=failed,
        finished=-1 if everything else FINISHED_SHOWN,
    )
    take = _taker(places, job, wanted)
    if not watch:
        _show(take(), as_json=as_json, limit=limit)
        return
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        _watch(take, as_json=as_json, limit=limit)


def _taker(places: Places, word: str | None, wanted: JobFilter) -> Callable[[], Overview | JobDetails]:
    from ..status.overview import JobDetails, Overview

    if word is None:
        return lambda: Overview.take(places, wanted=wanted)
    from ..status.finding import NotFound, find_jobs

    [found] = find_jobs(places.state, [word])

    def look() -> JobDetails:
        try:
            return JobDetails.take(places, found.id)
        except KeyError:
            raise NotFound(
                f"There is no job {found.id} any more: its file left the inbox before batchd could move it."
            ) from None

    return look


def _show(survey: Overview | JobDetails, *, as_json: bool, limit: int | None) -> None:
    from ..status.overview import Overview

    if as_json:
        echo_json(survey.record())
    elif isinstance(survey, Overview) and sys.stdout.isatty():
        from rich.console import Console

        from .showing.status_table import tables

        console = Console()
        room = max(MIN_JOBS, console.height - BESIDE_JOBS) if limit is None else limit
        console.print(tables(survey, most=room or None, brief=not survey.chosen))
    else:
        click.echo("\n".join(_lines(survey, limit=limit)))


def _watch(take: Callable[[], Overview | JobDetails], *, as_json: bool, limit: int | None) -> None:
    from ..status.overview import JobDetails

    if sys.stdout.isatty() and not as_json:
        _watch_live(take, limit=limit)
        return
    # Nothing can be overwritten here, so each change is printed in full; as JSON, one document a line.
    last: object = None
    while True:
        survey = take()
        now: Any = survey.record() if as_json else list(_lines(survey, limit=limit))
        if now != last:
            click.echo(json.dumps(now, ensure_ascii=False) if as_json else "\n".join(now))
            sys.stdout.flush()
            last = now
        if isinstance(survey, JobDetails) and survey.job.final:
            return
        time.sleep(LOOK_EVERY)


def _watch_live(take: Callable[[], Overview | JobDetails], *, limit: int | None) -> None:
    from rich.text import Text

    from ..status.overview import JobDetails
    from .showing.scrolling import Scrolling
    from .showing.status_table import tables

    with Scrolling() as screen:
        while True:
            survey = take()
            if isinstance(survey, JobDetails):
                screen.show(Text.from_ansi("\n".join(_lines(survey, limit=None))))
                if survey.job.final:
                    return
            else:
                screen.show(tables(survey, most=limit or None, brief=not survey.chosen))
            if not screen.wait(LOOK_EVERY):
                return


def _lines(survey: Overview | JobDetails, *, limit: int | None) -> list[str]:
    from ..status.overview import Overview
    from .showing.status_job import job_lines
    from .showing.status_lines import plain_lines

    if isinstance(survey, Overview):
        return list(plain_lines(survey, most=limit or None))
    return list(job_lines(survey, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
