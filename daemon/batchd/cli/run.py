"""`batchd run`: the daemon."""

from __future__ import annotations

import asyncio
import logging

import click

from .call import Call, log_level_option, pass_call

logger = logging.getLogger(__name__)

log_format_option = click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Lines for people, or one JSON object a line. Under systemd text carries the journal's priorities.",
)
workers_option = click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Tasks at a time.  [default: [workers] number]"
)


@click.command()
@log_level_option
@log_format_option
@workers_option
@click.option("--for-client", metavar="SOCKET", hidden=True, help="For batchd.client: see app/for_client.py.")
@pass_call
def run(call: Call, *, log_format: str, workers: int | None, for_client: str | None) -> int:
    """Run the daemon: process dropped files, deliver the answers.

    Runs until SIGTERM or Ctrl-C, which stops it cleanly; a second one ends it at once. Either way nothing is lost and
    nothing is paid twice: jobs go on at the next start.

    SIGHUP reloads the configuration; if it is wrong, the old one stays. Closing the terminal that it was started in
    stops it cleanly, unless it was started with nohup.

    The log goes to standard error.

    \b
    Examples:
      batchd run
      batchd run --log-format json --workers 2
    """
    call.log("info", log_format)
    config, catalogue = call.load(to_work=True)
    for warning in config.warnings:
        logger.warning("%s", warning, extra={"action": "Configure"})
    from ..app import run as app

    return asyncio.run(app.run(config, catalogue, workers=workers, client=for_client))
