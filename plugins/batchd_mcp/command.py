"""`batchd mcp`: the server on standard input and output."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

NEEDED = (
    "batchd mcp needs the package mcp, which is not installed here. Install it where batchd is: "
    "pip install 'batchd[mcp]'."
)


@click.command()
@click.option(
    "--root",
    required=True,
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Files below this folder may be sent, and no others.",
)
@click.option(
    "--url", metavar="ADDRESS", help="A daemon that runs, by its page; without it one is started for --config."
)
@click.pass_context
def mcp(context: click.Context, root: Path, url: str | None) -> None:
    """Let an assistant estimate, submit and follow files (MCP).

    An assistant starts this command and talks to it over standard input and output. It may send tables below --root.
    What they cost is bounded by your budget: it cannot approve a job that is held, change the configuration or order
    that something is asked again.

    With --url, the token of the page is in the environment variable BATCHD_TOKEN. Without, a daemon on the folders of
    the configuration runs for as long as this command does.

    \b
    Examples:
      batchd mcp --root tables
      batchd mcp --root tables --url http://127.0.0.1:8321
    """
    if find_spec("mcp") is None:
        raise click.ClickException(NEEDED)
    from batchd.client import AsyncClient

    from .server import server_of

    # The call of the command line knows the configuration.
    client = AsyncClient(url) if url is not None else AsyncClient(folder=context.find_root().obj.config_path)
    server_of(client, root).run("stdio")
