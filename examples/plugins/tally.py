"""A command. `batchd tally outbox/reviews/may.results.csv` counts rows by status."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from batchd import Register, hookimpl

if TYPE_CHECKING:
    import click


def make_tally() -> click.Command:
    import collections
    import csv

    import click

    @click.command()
    @click.argument("results", type=click.File(encoding="utf-8-sig"))
    def tally(results: TextIO) -> None:
        """Count the rows of a results file by status."""
        for status, rows in sorted(collections.Counter(row["status"] for row in csv.DictReader(results)).items()):
            click.echo(f"{status}: {rows}")

    return tally


@hookimpl
def register_commands(register: Register) -> None:
    register("tally", make_tally)
