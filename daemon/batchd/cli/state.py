"""`batchd state`: where the daemon's database is."""

from __future__ import annotations

import json

import click

from .call import Call, json_option, pass_call


@click.group()
def state() -> None:
    """Find the database, which you may read."""


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
        click.echo(json.dumps({"folder": str(places.state), "database": str(places.database)}, indent=2))
        return
    click.echo(str(places.database))
