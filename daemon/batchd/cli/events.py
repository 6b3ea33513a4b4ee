"""`batchd events`: what happened to one job."""

from __future__ import annotations

import click

from ..status.formatting import clean, local_time
from .call import Call, echo_json, json_option, pass_call
from .naming import complete_any

_COLOURS = {"warning": "yellow", "error": "red"}


@click.command()
@click.argument("job", shell_complete=complete_any)
@json_option
@pass_call
def events(call: Call, job: str, *, as_json: bool) -> None:
    """Print the events of a job, a sentence a line.

    It shows the job's own events, those of the batches its rows were in, and what kept it waiting.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd events k3j9x2ab
      batchd events may.csv
    """
    from ..status.story import record, severity, story

    told = story(call.places().state, job)
    if as_json:
        echo_json([record(each) for each in told])
        return
    for each in told:
        first, *rest = clean(each.sentence).splitlines() or [""]
        colour = _COLOURS.get(severity(each))
        click.echo(f"{local_time(each.at)}  {click.style(first, fg=colour) if colour else first}")
        for line in rest:
            click.echo(f"{'':21}{line}")
