"""`batchd spending`: what was spent, on what, and what of it was wasted."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ..status.formatting import clean, count, money, short_count
from .call import Call, Option, as_moment, echo_json, json_option, pass_call
from .showing.folding import for_stream

if TYPE_CHECKING:
    from ..money.budget import Limit
    from ..status.spending import Spent

BY = ("day", "month", "route", "model", "provider", "job")


@click.command()
@click.option("--by", type=click.Choice(BY), default="day", show_default=True, help="Group the sums by this.")
@click.option(
    "--since",
    callback=as_moment,
    metavar="WHEN",
    show_default="30d",
    help="Only what was spent since then: a day, or how long ago.",
)
@click.option("--csv", "as_csv", cls=Option, is_flag=True, help="Print CSV.")
@json_option
@pass_call
def spending(call: Call, by: str, since: float | None, *, as_csv: bool, as_json: bool) -> None:
    """Show what was spent.

    Each answer is counted when its batch is collected, at the price of the job. Batches that the provider still works
    on are not in it. Days and months are in UTC. Wasted is what was billed and answered no row: answers that were cut
    off or could not be read, and rows that were answered twice.

    Below the sums stands how much of each limit in [budget], [providers.NAME.budget] and [routes.NAME.budget] is used.

    \b
    Examples:
      batchd spending
      batchd spending --by model --since 2026-11-01
      batchd spending --by job --csv > november.csv
    """
    if as_csv and as_json:
        raise click.UsageError("Say either --csv or --json.")
    from ..status import spending as spent

    places = call.places()
    sums = spent.sums(places.state, by, since=since)
    if as_csv:
        _write_csv(by, sums)
        return
    limits = spent.limits(places, time.time())
    if as_json:
        echo_json(spent.records(by, sums, limits, places.currency))
        return
    if not sums:
        click.echo("Nothing was spent in that time.")
    elif sys.stdout.isatty():
        _table(by, sums)
    else:
        for each in sums:
            click.echo(_line(each))
    for limit in limits:
        click.echo(for_stream(clean(_use(limit, places.currency)), sys.stdout))


def _use(limit: Limit, currency: str) -> str:
    reserved = f", and {money(limit.reserved, currency)} are reserved for running jobs" if limit.reserved else ""
    return (
        f"{limit.name}: {money(limit.spent, currency)} of {money(limit.allowed, currency)} are spent "
        f"{limit.period}{reserved}."
    )


def _write_csv(by: str, sums: Iterable[Spent]) -> None:
    from ..status.spending import Spent, record

    records = [record(by, each) for each in sums]
    names = list(record(by, Spent("", "", *[0] * 11)))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


def _cost(spent: Spent) -> str:
    if spent.answers == spent.unpriced:
        return "unknown"
    unknown = " + ?" if spent.unpriced else ""
    return f"{money(spent.cost, spent.currency)}{unknown}"


def _line(spent: Spent) -> str:
    facts = [count(spent.answers, "answer"), f"{spent.input_tokens:,} tokens in", f"{spent.output_tokens:,} out"]
    facts += [f"wasted {money(spent.wasted_cost, spent.currency)}"] if spent.wasted_cost else []
    facts += [f"{money(spent.live_cost, spent.currency)} live"] if spent.live_cost else []
    facts += [f"{count(spent.unpriced, 'answer')} of unknown price"] if spent.unpriced else []
    facts += [f"{count(spent.estimated, 'answer')} as planned"] if spent.estimated else []
    return clean(f"{spent.name}: {_cost(spent)} ({', '.join(facts)})")


def _table(by: str, sums: Sequence[Spent]) -> None:
    from rich.console import Console
    from rich.text import Text

    from .showing.terminal import Prose, plain_table

    wasted = any(each.wasted_cost for each in sums)
    table = plain_table(by, "answers", "in", "out", "cost", *(["wasted"] if wasted else []), "live")
    for each in sums:
        known = each.answers > each.unpriced
        cells = [f"{each.answers:,}", short_count(each.input_tokens), short_count(each.output_tokens), _cost(each)]
        cells += [money(each.wasted_cost, each.currency) if known and each.wasted_cost else ""] if wasted else []
        table.add_row(Text(clean(each.name)), *cells, money(each.live_cost, each.currency) if known else "")
    console = Console()
    console.print(table)
    console.print()
    for line in _below(sums):
        console.print(Prose(line))


def _below(sums: Sequence[Spent]) -> Iterator[str]:
    """The totals, and a note on answers whose tokens or price are not known."""
    for currency in sorted({each.currency for each in sums if each.currency}):
        cost = sum(each.cost for each in sums if each.currency == currency)
        yield f"In all {money(cost, currency)}."
    estimated = sum(each.estimated for each in sums)
    if estimated:
        yield (
            f"The service did not count the tokens of {count(estimated, 'answer')}. They are in the sums with what "
            "was planned for them, which is the most that they can have cost."
        )
    unpriced = sum(each.unpriced for each in sums)
    if unpriced:
        yield (
            f"The price of {count(unpriced, 'answer')} was not known, so they are not in the sums. Add a table "
            "[providers.NAME.prices.MODEL] with input and output, so that later ones are counted."
        )
