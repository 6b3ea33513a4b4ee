"""`batchd`: the global options, and the list of commands."""

from __future__ import annotations

import os
import select
import sys
from typing import Any

import click

from .. import __version__
from .call import Call, log_level_option
from .lazy import Commands

SECTIONS = {
    "To begin": ("init", "check", "services"),
    "To prepare": ("validate", "try"),
    "To check answers": ("review",),
    "To work": ("run", "once"),
    "To know the cost": ("estimate",),
    "To see where files are": ("status", "events", "spending", "plugins", "nodes", "state"),
    "To give orders": ("approve", "cancel", "retry", "skip-sink", "resolve", "purge", "pause", "resume"),
    "To set up": ("backup", "restore", "web", "new-plugin", "config", "completion"),
}
MODULES = {
    **dict.fromkeys(("approve", "cancel", "retry", "skip-sink", "resolve", "purge", "pause", "resume"), "orders"),
    "restore": "backup",
    "try": "trying",
}
"""The modules of commands that stand in one of another name."""

EXIT_STATUSES = (
    ("0", "done"),
    ("1", "a job or a check failed"),
    ("2", "wrong use"),
    ("3", "delivered, but some rows failed"),
    ("4", "the configuration, or a plugin it needs"),
    ("5", "a provider or a disk is not available"),
    ("6", "held for budget"),
    ("11", "the state is locked by another daemon"),
    ("70", "a plugin has blocked all of batchd"),
    ("130", "interrupted"),
)


class Batchd(Commands):
    """The group, whose help ends with what every command has in common."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. The reader of our output may stop reading, which click would report as a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            if not _has_no_reader(sys.stdout.fileno()):
                raise
            # The rest of the buffer would fail again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Exit statuses"):
            formatter.write_dl(EXIT_STATUSES)
        formatter.write_paragraph()
        formatter.write_text(
            "Every option can also be set in the environment: BATCHD_CONFIG for --config, BATCHD_STATUS_WATCH=1 for "
            "status --watch. NO_COLOR=1 turns colours off."
        )


def _has_no_reader(descriptor: int) -> bool:
    asked = select.poll()
    asked.register(descriptor, 0)
    return bool(asked.poll(0))


@click.group(
    cls=Batchd,
    sections=SECTIONS,
    modules=MODULES,
    context_settings={
        "auto_envvar_prefix": "BATCHD",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.option(
    "--config",
    metavar="PATH",
    # Plugin commands are looked up in the folder that it names, also for --help.
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, value: setattr(context.ensure_object(Call), "config", value),
    help="The configuration.  [default: ./config.toml]",
)
@log_level_option
@click.version_option(__version__, prog_name="batchd", message="%(prog)s %(version)s")
@click.pass_context
def batchd(context: click.Context) -> None:
    """Drop a file of rows into a folder; get it back with a language model's answers.

    \b
    Begin with:
      batchd demo      see it work: no key, no network
      batchd init      write a configuration and the folders
      batchd check     check that everything is ready
      batchd run       start; then drop a file into the inbox
    """
    if os.environ.get("NO_COLOR"):
        context.color = False
