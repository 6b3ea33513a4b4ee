"""`batchd demo`: the main job on a sample file, with the sandbox in place of a paid service."""

from __future__ import annotations

import csv
import importlib.resources
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

CONFIG = """\
# What `batchd demo` runs with: the sandbox on this machine in place of a paid service.

[intake]
settle = "500ms"
rescan = "1s"
duplicates = "process"

[providers.sandbox]
plugin = "openai"
base_url = "{url}"
api_key = "env:BATCHD_DEMO_KEY"
mode = "{mode}"
poll = "300ms"
linger = "200ms"
max_requests = 60              # small, so that the sample makes several batches

# Made-up prices, so that the report shows costs. Per million tokens.
[providers.sandbox.prices."sandbox-small"]
input = 0.42
output = 2.10
batch_discount = 0.5

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
part_rows = 60

[routes.reviews.params]
max_tokens = 50
temperature = 0

[routes.reviews.prompt]
plugin = "template"
system = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
user = "Review: {{{{ review }}}}"
columns = ["sentiment", "punctuality", "quality"]
separator = "|"
"""
MARK = CONFIG.partition("\n")[0].encode()
"""The first line of a demo's configuration."""
ROWS_SHOWN = 8
COLUMNS_SHOWN = ("review", "sentiment", "punctuality", "quality", "status")
BESIDE_REVIEW = 50
"""Characters of a terminal's width for the columns other than the review."""
FOLDERS = ("inbox/reviews", "outbox", "archive", "rejected")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("batchd-demo"))
@click.option(
    "--live", is_flag=True, help="The sandbox has no batches, so that each row is asked by a call of its own."
)
def demo(folder: Path, *, live: bool) -> None:
    """Run the main job on a sample of 240 product reviews. No key, no network.

    Everything happens in FOLDER (default ./batchd-demo), which you may inspect and delete. The answers come from the
    sandbox's few rules, not from a model.

    \b
    Examples:
      batchd demo
      batchd demo --live batchd-demo-live
    """
    folder = folder.absolute()
    content = importlib.resources.files(__package__).joinpath("reviews.csv").read_bytes()
    _refuse_to_overwrite(folder, content)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    click.echo("A sandbox server on this machine answers with a few rules. Nothing is paid.")
    with _sandbox(folder, live=live) as url:
        config = folder / "config.toml"
        config.write_text(CONFIG.format(url=url, mode="live" if live else "batch"), encoding="utf-8")
        sample = folder / "may.csv"
        sample.write_bytes(content)
        click.echo(f"Dropping {_short(sample)} into {_short(folder / 'inbox' / 'reviews')}.\n")
        reports = set(_reports(folder))
        command = [sys.executable, "-m", "batchd", "--config", str(config), "once", "--route", "reviews", str(sample)]
        status = subprocess.run(command, env={**os.environ, "BATCHD_DEMO_KEY": "demo"}, check=False).returncode
    if status not in {0, 3}:
        raise click.exceptions.Exit(status)
    [report] = set(_reports(folder)) - reports
    _show(folder, report)


def _refuse_to_overwrite(folder: Path, content: bytes) -> None:
    """Raise UsageError if the demo would overwrite a file that it did not write."""
    config, sample = folder / "config.toml", folder / "may.csv"
    if config.exists():
        foreign = None if config.read_bytes().startswith(MARK) else config
    else:
        foreign = sample if sample.exists() and sample.read_bytes() != content else None
    if foreign is not None:
        raise click.UsageError(
            f"{_short(foreign)} is not from a demo, and the demo would overwrite it. Nothing was changed. "
            "Choose another FOLDER."
        )


def _show(folder: Path, report: Path) -> None:
    """Print the first answers, what they would have cost live, and the next step. The daemon has printed the counts."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    results = report.with_name(f"{report.name.removesuffix('.report.json')}.results.csv")
    console.print(Text(f"\nThe first rows of {results.name}, some of its columns", style="bold"))
    console.print(_rows(results, console.width))
    cost = json.loads(report.read_text("utf-8"))["cost"]
    if cost["actual"] is not None:
        without = f" Without batches: {cost['live_price']:.6f} {cost['currency']}."
        live = "" if cost["actual"] == cost["live_price"] else without
        console.print(Text(f"\nThe price is made up.{live}"))
    where = "results and report in outbox/reviews, the original in archive/reviews, the configuration in config.toml"
    console.print(Text(f"\nEverything is in {_short(folder)}: {where}. Next, for a real service:\n\n  batchd init"))


def _rows(results: Path, width: int) -> Table:
    from rich.table import Table

    with results.open(newline="", encoding="utf-8-sig") as file:
        first = list(islice(csv.DictReader(file), ROWS_SHOWN))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in COLUMNS_SHOWN:
        # The answers are of more interest than the texts, which are long.
        widest = min(60, max(12, width - BESIDE_REVIEW)) if name == "review" else None
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=widest)
    for row in first:
        table.add_row(*(" ".join(row[name].split()) for name in COLUMNS_SHOWN))
    return table


def _reports(folder: Path) -> list[Path]:
    return sorted((folder / "outbox").rglob("*.report.json"))


def _short(path: Path) -> str:
    """The path, relative to the working directory if that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


@contextmanager
def _sandbox(folder: Path, *, live: bool) -> Iterator[str]:
    """Runs the server in its own process; yields its base URL."""
    command = [sys.executable, "-m", "batchd", "sandbox", "--port", "0", "--latency", "1s"]
    if live:
        command += ["--no-batches", "--live-latency", "500ms"]
    process = subprocess.Popen(
        [*command, "--folder", str(folder / "sandbox")],
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C goes to the daemon only; the sandbox ends after it.
        process_group=0,
    )
    try:
        assert process.stdout is not None
        match = re.search(r"http://\S+", process.stdout.readline())
        if match is None:
            raise click.ClickException("The sandbox server did not start; see its message above.")
        yield match[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
