"""`batchd sandbox`: the server as a command."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .faults import table as faults
from .faults.grammar import parse
from .settings import DEFAULT_MODELS, SandboxSettings, duration


class _Checked(click.ParamType[Any]):
    """A text that a function turns into a value, or refuses with a ValueError whose message is shown."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name, self._read = name, read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        try:
            return self._read(str(value))
        except ValueError as reason:
            self.fail(str(reason), param, ctx)


_DURATION = _Checked("duration", duration)
_FAULT = _Checked("fault", lambda text: parse(text).text)


class _SandboxCommand(click.Command):
    """A command whose help ends with the table of faults."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        formatter.write_paragraph()
        formatter.write_text(
            "Faults are written operation:kind[:key=value,...], such as create:cut-after:count=2 or"
            " line:500:fraction=0.1. CALL is any of " + ", ".join(faults.CALLS) + "."
            " count=N is how many times (default 1), count=always until it is lifted; for faults of single lines"
            " it is counted for each custom_id. lines=3+8+10-19 are line numbers of the input file; fraction=0.1 is a"
            " share; marker=TEXT selects only what contains the text (lines, and the calls with a body: "
            + ", ".join(faults.WITH_BODY)
            + "); delay=2s is a duration."
        )
        with formatter.section("Faults"):
            formatter.write_dl(faults.table(), col_max=24)
        formatter.write_paragraph()
        formatter.write_text(
            'While it runs: POST /sandbox/faults with {"faults": [...]} adds faults, GET lists them, DELETE lifts'
            " them all. GET /sandbox/ledger shows what was created, executed and paid."
        )


@click.command(
    cls=_SandboxCommand,
    context_settings={"auto_envvar_prefix": "BATCHD_SANDBOX", "show_default": True, "max_content_width": 110},
)
@click.option("--host", metavar="NAME", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=8089, help="Port; 0 for a free one.")
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for all state; a sandbox restarted on it continues. Without it nothing is kept.",
)
@click.option(
    "--api-key", "api_keys", metavar="KEY", multiple=True, envvar="BATCHD_SANDBOX_API_KEY",
    help="A key to accept; may be given several times. Without it any key is accepted.",
)  # fmt: skip
@click.option(
    "--accounts", is_flag=True,
    help="Keys know only their account's files and batches: sk-acme.1 and sk-acme.2 are of one account.",
)  # fmt: skip
@click.option(
    "--idempotent", is_flag=True,
    help="A create with the Idempotency-Key of an earlier one gives that batch back, as Perplexity does.",
)  # fmt: skip
@click.option("--latency", type=_DURATION, default="2s", help="How long a batch takes to complete.")
@click.option("--instant", is_flag=True, help="Answer as fast as possible, in the order of the input: for benchmarks.")
@click.option("--max-requests", metavar="N", type=click.IntRange(1), default=50_000, help="Most requests in a batch.")
@click.option(
    "--max-bytes", metavar="BYTES", type=click.IntRange(1), default=209_715_200, help="Most bytes in an input file."
)
@click.option(
    "--max-enqueued-tokens", metavar="TOKENS", type=click.IntRange(1), default=None,
    help="Most prompt tokens in unfinished batches, per model. Without it there is no limit.",
)  # fmt: skip
@click.option(
    "--batches/--no-batches", default=True,
    help="Whether there are files and batches. Without them it plays a service that has live calls only.",
)  # fmt: skip
@click.option(
    "--outputs-kept", type=_DURATION, default="30d",
    help="How long files of answers are kept, unless output_expires_after asks for less; then they are gone.",
)  # fmt: skip
@click.option(
    "--calls-per-second", metavar="N", type=click.FloatRange(0.01), default=None,
    help="Most live calls a second; more are refused with status 429. Without it there is no limit.",
)  # fmt: skip
@click.option("--live-latency", type=_DURATION, default="0s", help="How long a live call takes.")
@click.option(
    "--models",
    "models",
    metavar="MODEL",
    multiple=True,
    default=DEFAULT_MODELS,
    help="A model to list; may be given several times.",
)
@click.option("--any-model/--listed-models-only", default=True, help="Whether models that are not listed are accepted.")
@click.option(
    "--fault", "faults", type=_FAULT, multiple=True, envvar="BATCHD_SANDBOX_FAULT",
    help="A fault from the start; may be given several times. See the table below.",
)  # fmt: skip
def sandbox(folder: Path | None, **options: Any) -> None:
    """Run a local server with OpenAI's endpoints, for trials.

    Its answers come from a few rules over word lists, not from a model: enough to see a complete run. It needs no
    key and no network. It can fail on request: see the faults below.

    \b
    Examples:
      batchd sandbox
      batchd sandbox --no-batches --live-latency 300ms
      batchd sandbox --folder sandbox --fault create:cut-after --fault line:500:fraction=0.1
    """
    with tempfile.TemporaryDirectory(prefix="batchd-sandbox-") as temporary:
        asyncio.run(_serve(SandboxSettings(folder=folder or Path(temporary), **options)))


async def _serve(settings: SandboxSettings) -> None:
    from .database import FolderTaken
    from .server import serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with serving(settings) as address:
            click.echo(f"sandbox: listening on {address} (rule-based answers, not a model)")
            await stop.wait()
    except FolderTaken as reason:
        raise click.ClickException(str(reason)) from None
    except OSError as reason:
        if reason.filename is not None:
            message = f"Cannot write to {reason.filename}: {reason.strerror}. Choose another --folder."
            raise click.ClickException(message) from None
        message = f"Cannot listen on {settings.host}:{settings.port}: {reason.strerror or reason}."
        bad_host = isinstance(reason, socket.gaierror) or reason.errno == errno.EADDRNOTAVAIL
        advice = "Choose another --host." if bad_host else "Choose another --port, or 0 for a free one."
        raise click.ClickException(f"{message} {advice}") from None
