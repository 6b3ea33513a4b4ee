"""A command. `batchd tally outbox/reviews/may.results.csv` counts rows by status."""

from batchd import hookimpl


def make_tally():
    import collections
    import csv

    import click

    @click.command()
    @click.argument("results", type=click.File(encoding="utf-8-sig"))
    def tally(results):
        """Count the rows of a results file by status."""
        for status, rows in sorted(collections.Counter(row["status"] for row in csv.DictReader(results)).items()):
            click.echo(f"{status}: {rows}")

    return tally


@hookimpl
def register_commands(register):
    register("tally", make_tally)
