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
from pathlib import Path

import click

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
poll = "300ms"
linger = "200ms"
max_requests = 60              # so small that the sample makes several batches

# Made up, so that you see what a report says of costs. Per million tokens.
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
ROWS_SHOWN = 8
FOLDERS = ("inbox/reviews", "outbox", "archive", "rejected")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("batchd-demo"))
def demo(folder: Path) -> None:
    """See the main job on a sample: 240 product reviews go in, 240 labels come out. No key, no network.

    Everything happens in FOLDER (./batchd-demo unless you name another), which you may look into and delete.
    The answers come from the sandbox's few rules, not from a model.
    """
    folder = folder.absolute()
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    click.echo("A sandbox server answers in place of a paid service: a few rules over word lists, not a model.")
    with _sandbox(folder) as url:
        config = folder / "config.toml"
        config.write_text(CONFIG.format(url=url), encoding="utf-8")
        sample = folder / "may.csv"
        sample.write_bytes(importlib.resources.files(__package__).joinpath("reviews.csv").read_bytes())
        click.echo(f"Dropping {_short(sample)} into {_short(folder / 'inbox' / 'reviews')}.\n")
        reports = set(_reports(folder))
        command = [sys.executable, "-m", "batchd", "--config", str(config), "once", "--route", "reviews", str(sample)]
        status = subprocess.run(command, env={**os.environ, "BATCHD_DEMO_KEY": "demo"}, check=False).returncode
    if status not in {0, 3}:
        raise click.exceptions.Exit(status)
    [report] = set(_reports(folder)) - reports
    _show(folder, report)


def _show(folder: Path, report: Path) -> None:
    stem = report.name.removesuffix(".report.json")
    results = report.with_name(f"{stem}.results.csv")
    _show_rows(results)
    told = json.loads(report.read_text("utf-8"))
    rows, cost = told["rows"], told["cost"]
    click.echo(
        f"\n{rows['total']} rows: {rows['ok']} ok, {rows['failed']} failed, {rows['skipped']} skipped.", nl=False
    )
    if cost["actual"] is not None:
        live, actual, currency = cost["live_price"], cost["actual"], cost["currency"]
        click.echo(f" At the demo's made-up prices: {actual:.4f} {currency}; asked live, {live:.4f}.", nl=False)
    failures = "; ".join(f"{failure['code']} × {failure['rows']}" for failure in told["failures"])
    click.echo(f"\nFailures: {failures}." if failures else "")
    click.echo("\nWhere the files lie:")
    for label, path in (
        ("results", results),
        ("report", report),
        ("original", folder / "archive" / "reviews"),
        ("config", folder / "config.toml"),
    ):
        click.echo(f"  {label:9} {_short(path)}")
    click.echo("\nNext: batchd init writes a configuration for a real service; the README tells the rest.")


def _show_rows(results: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    with results.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader)
        first = [row for row, _ in zip(reader, range(ROWS_SHOWN), strict=False)]
    table = Table(title=f"The first rows of {results.name}", title_justify="left")
    for name in header:
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=34 if name == "review" else 14)
    for row in first:
        table.add_row(*(" ".join(cell.split()) for cell in row))
    Console().print(table)


def _reports(folder: Path) -> list[Path]:
    return sorted((folder / "outbox").rglob("*.report.json"))


def _short(path: Path) -> str:
    """Relative to where the person is, if that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    """The server in a process of its own; its base URL."""
    command = [sys.executable, "-m", "batchd", "sandbox", "--port", "0", "--latency", "3s"]
    process = subprocess.Popen(
        [*command, "--folder", str(folder / "sandbox")],
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the daemon; the sandbox is ended when it has stopped.
        process_group=0,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise click.ClickException("The sandbox server did not start; see its message above.")
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
