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

from .call import Call, Option, json_option, pass_call
from .naming import complete_any

if TYPE_CHECKING:
    from ..status.overview import JobDetails, Overview
    from ..status.places import Places

LOOK_EVERY = 1.0


@click.command()
@click.argument("job", required=False, shell_complete=complete_any)
@click.option("--watch", "-w", is_flag=True, help="Look again every second, until Ctrl-C or until JOB is finished.")
@click.option("--all", "everything", cls=Option, is_flag=True, help="All finished jobs, not only the last few.")
@json_option
@pass_call
def status(call: Call, job: str | None, *, watch: bool, everything: bool, as_json: bool) -> None:
    """Show where each file is, how far it is, and what it costs.

    What keeps batchd waiting stands first: a provider that is down, a refused key, a full disk. Then come the jobs
    under way, with what each waits for.

    With JOB (an id, its first characters, or the name of the dropped file) it shows everything about that job: its
    batches with the provider's ids, and where its results are.

    \b
    Examples:
      batchd status
      batchd status --watch
      batchd status may.csv
      batchd status --json | jq '.jobs[] | select(.rows.failed > 0)'
    """
    places = call.places()
    take = _taker(places, job, everything=everything)
    if not watch:
        _show(take(), as_json=as_json)
        return
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        _watch(take, as_json=as_json)


def _taker(places: Places, word: str | None, *, everything: bool) -> Callable[[], Overview | JobDetails]:
    from ..status.overview import Overview

    if word is None:
        return lambda: Overview.take(places, everything=everything)
    from ..status.finding import find_jobs

    [found] = find_jobs(places.state, [word])
    return lambda: _survey_of(places, found.id)


def _survey_of(places: Places, job: str) -> JobDetails:
    from ..status.finding import NotFound
    from ..status.overview import JobDetails

    try:
        return JobDetails.take(places, job)
    except KeyError:
        raise NotFound(
            f"There is no job {job} any more: its file left the inbox before batchd could move it."
        ) from None


def _show(survey: Overview | JobDetails, *, as_json: bool) -> None:
    from ..status.overview import Overview

    if as_json:
        click.echo(json.dumps(survey.record(), ensure_ascii=False, indent=2))
    elif isinstance(survey, Overview) and sys.stdout.isatty():
        from rich.console import Console

        from .status_table import tables

        Console().print(tables(survey))
    else:
        click.echo("\n".join(_lines(survey)))


def _watch(take: Callable[[], Overview | JobDetails], *, as_json: bool) -> None:
    from ..status.overview import JobDetails

    if sys.stdout.isatty() and not as_json:
        _watch_live(take)
        return
    # Elsewhere there is nothing to overwrite: what has changed is printed again, as JSON one document a line.
    last: object = None
    while True:
        survey = take()
        now: Any = survey.record() if as_json else list(_lines(survey))
        if now != last:
            click.echo(json.dumps(now, ensure_ascii=False) if as_json else "\n".join(now))
            sys.stdout.flush()
            last = now
        if isinstance(survey, JobDetails) and survey.job.final:
            return
        time.sleep(LOOK_EVERY)


def _watch_live(take: Callable[[], Overview | JobDetails]) -> None:
    from rich.live import Live
    from rich.text import Text

    from ..status.overview import JobDetails
    from .status_table import tables

    with Live(auto_refresh=False) as live:
        while True:
            survey = take()
            if isinstance(survey, JobDetails):
                live.update(Text.from_ansi("\n".join(_lines(survey))), refresh=True)
                if survey.job.final:
                    return
            else:
                live.update(tables(survey), refresh=True)
            time.sleep(LOOK_EVERY)


def _lines(survey: Overview | JobDetails) -> list[str]:
    from ..status.overview import Overview
    from .status_job import job_lines
    from .status_lines import plain_lines

    if isinstance(survey, Overview):
        return list(plain_lines(survey))
    return list(job_lines(survey, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
