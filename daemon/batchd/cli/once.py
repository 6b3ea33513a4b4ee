"""`batchd once`: process what is there until nothing is left, then print the results."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .call import Call, echo_json, json_option, log_level_option, pass_call
from .file_argument import FILE
from .run import log_format_option, workers_option
from .showing.folding import for_stream

if TYPE_CHECKING:
    from ..status.overview import JobDetails
    from ..status.places import Places


@click.command()
@click.argument("files", metavar="[FILE…]", nargs=-1, type=FILE)
@click.option("--route", metavar="NAME", help="The route for the FILEs if their names do not tell.")
@log_level_option
@log_format_option
@workers_option
@json_option
@pass_call
def once(
    call: Call,
    files: Sequence[Path],
    *,
    route: str | None,
    log_format: str,
    workers: int | None,
    as_json: bool,
) -> int:
    """Process what is in the inbox until nothing is left, then exit.

    FILEs are copied into the inbox first, into the folder of their route.

    Unfinished jobs of earlier runs go on, too. batchd waits for a provider that is down or busy, or that
    refuses the account, and for a full disk; it says so once.
    Ctrl-C stops it cleanly; jobs go on at the next start.

    On a terminal it shows how far it is; elsewhere it logs to standard error. At the end it prints the outcome of
    each file and where the results are.

    Exits with 1 if a job failed or a file was rejected, with 3 if some rows failed, with 5 if a folder is missing, a
    file waits for its question or a job could not come to its end, with 6 if a job or batch is held.

    \b
    Examples:
      batchd once
      batchd once may.csv june.csv --route reviews
    """
    # Loading the configuration changes the working directory to its folder.
    absolute = [file.absolute() for file in files]
    where = call.places()
    # Start it first: it imports on another core while this process imports.
    from ..workers.fork_server import start_fork_server

    start_fork_server()
    config, catalogue = call.load(to_work=True)
    from ..app import once as app
    from ..app.dropping import places as places_in_inbox

    drops = places_in_inbox(absolute, config.folders.inbox, config.routes, route)
    with _watched(call, where, log_format):
        outcome = asyncio.run(app.once(config, catalogue, files=drops, workers=workers))
    from ..status.overview import JobDetails

    jobs = JobDetails.take_all(where, [job.id for job, _ in outcome.jobs])
    if as_json:
        record = {
            "exit_status": outcome.exit_status,
            "interrupted": outcome.interrupted,
            "left": dict(outcome.left),
            "jobs": [job.record()["job"] for job in jobs],
        }
        echo_json(record)
        return outcome.exit_status
    for line in lines_of(jobs, outcome.left, interrupted=outcome.interrupted):
        click.echo(line if line.startswith("  ") else for_stream(line, sys.stdout))
    return outcome.exit_status


@contextmanager
def _watched(call: Call, where: Places, log_format: str) -> Iterator[None]:
    """Show live progress on a terminal, with warnings above it; elsewhere the log."""
    if not sys.stderr.isatty() or log_format == "json" or call.log_level is not None:
        call.log("info", log_format)
        yield
        return
    from .showing.progress import progress

    with progress(where):
        call.log("warning")
        yield


def lines_of(jobs: Sequence[JobDetails], left: Mapping[str, str], *, interrupted: bool) -> Iterator[str]:
    """What a person reads at the end: the outcome of each file, where its results are, and what stays in the inbox."""
    from ..status.formatting import clean
    from .showing.cells import spent

    if not jobs and not interrupted and not left:
        yield "There was nothing to do: the inbox is empty, and no job was under way."
    for each in jobs:
        job = each.job
        cost = spent(job, each.around)
        # An unfinished job gets no cost: its line may end with a command, which people copy.
        yield clean(f"{job.source}: {_outcome(job)}{f' {cost}.' if cost and job.final else ''}")
        for path in each.outputs():
            yield clean(f"  {_kind(path):9}{path}")
        original = each.original()
        if original is not None:
            yield clean(f"  {'original':9}{original}")
    for name, why in left.items():
        yield clean(f"{name}: stays in the inbox. {why}")
    if interrupted:
        yield "Interrupted. Jobs go on at the next start; nothing is lost, nothing is paid twice."


def _kind(path: str) -> str:
    """The word for an output, by its name: `may.failed.xlsx` is `failed`."""
    _, kind, ending = ("", "", *path.rsplit(".", 2))[-3:]
    if kind == "report" and ending == "html":
        return "page"
    return kind if kind in {"report", "review", "failed"} else "results"


def _outcome(job: Any) -> str:
    from ..domain.states import FAILED_AT_THE_END
    from ..status.formatting import count
    from ..status.job_words import needs_a_person, outcomes, state_in_words, waits_for

    if job.state == "rejected":
        return f"rejected. {job.reason}"
    failed = f" {job.reason[:1].upper()}{job.reason[1:]}." if job.reason_code in FAILED_AT_THE_END else ""
    if needs_a_person(job):
        return f"{state_in_words(job)}; waits for {waits_for(job, (), awake=True)}"
    if not job.final:
        return f"{state_in_words(job)}."
    return f"{state_in_words(job)}. {count(job.rows or 0, 'row')}: {', '.join(outcomes(job))}.{failed}"
