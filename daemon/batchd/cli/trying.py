"""`batchd try`: asks one model or several about a few rows now, to show answers before all rows are paid for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..status.formatting import clean, count, join
from .call import Call, echo_json, json_option, pass_call
from .file_argument import FILE

if TYPE_CHECKING:
    from ..app.estimating.trying import TryPlan

MOST_ROWS = 1_000


@click.command("try")
@click.argument("file", metavar="FILE", type=FILE)
@click.option("--route", metavar="NAME", help="The route to use if the FILE's name does not tell.")
@click.option(
    "--rows", metavar="N", type=click.IntRange(1, MOST_ROWS), default=5, show_default=True, help="How many rows to ask."
)
@click.option("--spread", is_flag=True, help="Rows from all over the file, not its first.")
@click.option(
    "--model",
    metavar="[PROVIDER/]MODEL",
    multiple=True,
    help="The model to ask in place of the route's; may be given several times.",
)
@click.option("--prompt", metavar="PATH", type=FILE, help="A file with the question, in place of the route's.")
@click.option("--yes", is_flag=True, help="Where there are no live calls, wait for a batch without being asked.")
@json_option
@pass_call
def try_(
    call: Call,
    file: Path,
    *,
    route: str | None,
    rows: int,
    spread: bool,
    model: Sequence[str],
    prompt: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Ask a few rows now, and show the answers side by side.

    batchd asks by live calls where the provider has them, at live prices; a batch may take a day, so it asks you first.
    Then it shows the answers, how far the models agree, what the rows cost, and what the whole FILE would cost on each
    model. The budget limits and counts this. Nothing goes to the inbox or the outbox.

    The answers are kept for seven days: the same request in another try or in a job is not paid again.

    It works beside a running daemon and without one.

    Exits with 1 if a model refuses the rows, with 3 if some rows failed, with 5 if a provider is not available, with 6
    if the budget has no room.

    \b
    Examples:
      batchd try may.csv
      batchd try may.csv --rows 20 --spread --model gpt-4.1 --model acme/small
      batchd try may.csv --prompt question.txt --json
    """
    # Loading the configuration changes the working directory to its folder.
    absolute, question = file.absolute(), prompt.absolute() if prompt is not None else None
    config, catalogue = call.load()
    from ..app.estimating.trying import Trying

    trying = Trying(config, catalogue)
    plan = trying.plan(absolute, route, model, number=rows, spread=spread, prompt=question)
    if plan.batch_only and not yes and not _will_wait(plan):
        return 1
    call.log("error")
    if not as_json:
        names = join([column.name for column in plan.columns])
        click.echo(clean(f"Asking {names} about {count(len(plan.rows), 'row')} of {plan.file.name} …"), err=True)
    tried = asyncio.run(trying.run(plan, say=lambda text: click.echo(clean(f"batchd: {text}"), err=True)))
    from .showing.try_lines import exit_status, lines, record

    if as_json:
        echo_json(record(plan, tried))
    elif sys.stdout.isatty():
        from rich.console import Console

        from .showing.try_table import page

        Console().print(page(plan, tried))
    else:
        click.echo("\n".join(lines(plan, tried)))
    return 130 if trying.interrupted else exit_status(tried)


def _will_wait(plan: TryPlan) -> bool:
    """Whether the person agrees to wait for batches, which may take long. Asked before anything is sent."""
    names = join(list(dict.fromkeys(column.route.provider for column in plan.batch_only)))
    said = clean(f"{names} takes batches only: the answers may take up to a day, and this command waits for them.")
    if not sys.stdin.isatty():
        raise click.UsageError(f"{said} Without a terminal, say --yes to wait.")
    click.echo(said, err=True)
    return click.confirm("Send a batch and wait?", err=True)
