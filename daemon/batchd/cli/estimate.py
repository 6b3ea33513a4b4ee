"""`batchd estimate`: what a file would cost, with which model, before anything is asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .call import Call, Option, echo_json, json_option, pass_call
from .file_argument import FILE

if TYPE_CHECKING:
    from ..app.estimating.estimate import Estimate

HELD = 6


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=FILE)
@click.option("--route", metavar="NAME", help="The route to use if the FILE's name does not tell.")
@click.option(
    "--model",
    metavar="[PROVIDER/]MODEL",
    multiple=True,
    help="Another model to compare with; may be given several times.",
)
@click.option("--all", "everything", cls=Option, is_flag=True, help="All models of the provider that have a price.")
@click.option("--requests", metavar="N", type=click.IntRange(min=1), help="Without a FILE: the number of requests.")
@click.option(
    "--input",
    "input_tokens",
    cls=Option,
    metavar="TOKENS",
    type=click.IntRange(min=0),
    help="Without a FILE: the input tokens of each request.",
)
@click.option(
    "--output",
    "output_tokens",
    cls=Option,
    metavar="TOKENS",
    type=click.IntRange(min=0),
    help="Output tokens that you expect for one answer.",
)
@json_option
@pass_call
def estimate(
    call: Call,
    file: Path | None,
    *,
    route: str | None,
    model: Sequence[str],
    everything: bool,
    requests: int | None,
    input_tokens: int | None,
    output_tokens: int | None,
    as_json: bool,
) -> int:
    """Estimate what a file would cost, by model, cheapest first.

    batchd reads FILE, builds the requests of its route, and prices them as a batch and live. Nothing is sent. In a
    large file it counts a sample.

    Without FILE, it estimates requests of one size: --requests, --input and --output.

    Exits with 6 if the budget would hold the job.

    \b
    Examples:
      batchd estimate may.csv
      batchd estimate may.csv --model gpt-4.1 --model acme/small
      batchd estimate may.csv --all --json
      batchd estimate --requests 10000 --input 100 --output 20 --all
    """
    # Loading the configuration changes the working directory to its folder.
    absolute = file.absolute() if file is not None else None
    if absolute is None and (requests is None or input_tokens is None or output_tokens is None):
        raise click.UsageError("Name a FILE; or give --requests, --input and --output to estimate without one.")
    if absolute is not None and (requests is not None or input_tokens is not None):
        raise click.UsageError("--requests and --input are for an estimate without a FILE.")
    config, catalogue = call.load()
    from ..app.estimating.estimate import Estimating

    estimating = Estimating(config, catalogue)
    if absolute is not None:
        from ..app.estimating.estimate_steps import with_steps

        made = with_steps(
            estimating, estimating.of_file(absolute, route, model, everything=everything, expected=output_tokens)
        )
    else:
        assert requests is not None and input_tokens is not None and output_tokens is not None  # noqa: PT018
        made = estimating.of_numbers(requests, input_tokens, output_tokens, route, model, everything=everything)
    _show(made, as_json=as_json)
    return HELD if made.held else 0


def _show(made: Estimate, *, as_json: bool) -> None:
    if as_json:
        from ..app.estimating.record import record

        echo_json(record(made))
    elif sys.stdout.isatty():
        from rich.console import Console

        from .showing.estimate_table import page

        Console().print(page(made))
    else:
        from .showing.estimate_lines import lines

        click.echo("\n".join(lines(made)))
