"""`batchd state`: where the daemon's database is, and how to adopt job folders that it does not know."""

from __future__ import annotations

import click

from .call import Call, echo_json, json_option, pass_call


@click.group()
def state() -> None:
    """Find the database, and adopt what it does not know."""


@state.command()
@json_option
@pass_call
def path(call: Call, *, as_json: bool) -> None:
    """Print the path of the database: one SQLite file, to be read but not written.

    \b
    Examples:
      sqlite3 -readonly "$(batchd state path)" "SELECT source, state FROM jobs"
    """
    places = call.places()
    if as_json:
        echo_json({"folder": str(places.state), "database": str(places.database)})
        return
    click.echo(str(places.database))


@state.command()
@json_option
@pass_call
def adopt(call: Call, *, as_json: bool) -> None:
    """Give back the dropped files of jobs that the database does not know, after it was lost or an old copy put back.

    Copies each file under its name into the rejected folder and puts the rest of its folder aside, in `adopted` of the
    state folder or the spool. Nothing is deleted and nothing is asked. No daemon may run meanwhile.

    \b
    Examples:
      batchd state adopt
    """
    from ..app.adopting import adopt as adopt_folders

    places = call.places()
    found = adopt_folders(places.state, places.rejected, places.outbox, shared=places.spool)
    if as_json:
        records = [
            {
                "job": each.job,
                "file": each.file and str(each.file),
                "kept": str(each.kept),
                "delivered": each.delivered,
            }
            for each in found
        ]
        echo_json({"adopted": records})
        return
    for each in found:
        done = f"; its answers were delivered: {each.delivered}" if each.delivered else ""
        click.echo(f"{each.job}: {each.file or 'no dropped file in it'}; the rest is in {each.kept}{done}")
    if found:
        click.echo("Their answers may be paid for: look at the provider for their batches before you drop them again.")
    else:
        click.echo("The database knows every folder.")
