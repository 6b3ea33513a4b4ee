"""`batchd validate`: what a batch service would refuse in a file of requests, and what can be saved."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..status.formatting import clean, count, join
from .call import Call, json_option, pass_call
from .file_argument import FILE

if TYPE_CHECKING:
    from ..model import Limits
    from ..requests.file import Finding, RequestFile, Summary
    from ..requests.repair import Repaired

SHOWN = 20
"""Bad lines that are shown one by one; `--json` has all of them."""
LARGE = 20_000_000
"""Bytes from which a file takes long enough to show progress."""
BAD = 1

_NOTES = {
    "crlf": "CR LF at the end, as on Windows",
    "line_separators": "U+2028, U+2029 or U+0085 in a text, where some programs cut lines",
}
_CHANGES = {
    "byte_order_mark": "Removed a byte order mark",
    "crlf": "Ended with LF in place of CR LF",
    "line_separators": "Wrote line separators in texts as escapes",
    "blank_line": "Removed: the line was blank",
    "double": "Removed: the same as an earlier line",
    "renamed": "Gave a new custom_id: an earlier line has the same one",
}


def _request_file(_: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix != ".jsonl":
        raise click.BadParameter("name a file that ends in .jsonl: services refuse others.", param=parameter)
    return value


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--repair",
    metavar="OUT",
    type=click.Path(path_type=Path),
    callback=_request_file,
    help="Write what can be saved to OUT.",
)
@click.option(
    "--split", metavar="N", type=click.IntRange(min=1), help="With --repair: write parts of at most N requests."
)
@click.option(
    "--rename-duplicates",
    is_flag=True,
    help="With --repair: give a new custom_id to a different request that repeats one.",
)
@click.option("--endpoint", metavar="PATH", multiple=True, help="Another endpoint to allow.")
@click.option("--provider", metavar="NAME", help="Use the limits of this provider in the configuration.")
@json_option
@pass_call
def validate(
    call: Call,
    file: Path,
    *,
    repair: Path | None,
    split: int | None,
    rename_duplicates: bool,
    endpoint: tuple[str, ...],
    provider: str | None,
    as_json: bool,
) -> int:
    """Check what a batch service would refuse in FILE.

    FILE holds batch requests in OpenAI's format, one JSON object a line. Every bad line is reported by number and
    reason. Nothing is sent, and no configuration is needed.

    With --repair, OUT gets everything that can be saved, and the changes are listed: never what is asked. If that is
    too much for one batch, or with --split, there are numbered parts instead: fixed.part-001.jsonl and so on.

    Exits with 1 if FILE has bad lines, or more than fits into a batch.

    \b
    Examples:
      batchd validate may.jsonl
      batchd validate may.jsonl --repair fixed.jsonl
      batchd validate may.jsonl --repair fixed.jsonl --split 10000
    """
    if repair is None and (split is not None or rename_duplicates):
        option = "--split" if split is not None else "--rename-duplicates"
        raise click.UsageError(f"{option} needs a place for what it writes: --repair OUT.")
    if not file.is_file():
        raise click.UsageError(
            f"{file} is not a plain file, and batchd reads it more than once. Save it as a file first."
        )
    limits = _limits(call, provider)
    from ..requests import repair as request_repair
    from ..requests.file import RequestFile

    if repair is not None:
        if not repair.parent.is_dir():
            raise click.UsageError(f"There is no folder {repair.parent} to write to. Make it first.")
        with _nothing_replaced():
            request_repair.refuse_to_replace(repair)
    with RequestFile(file, limits, allowed=endpoint) as looked:
        with _progress("Looking through it", file) as told:
            summary = looked.look(told)
        if as_json:
            for record in _records(looked.findings()):
                click.echo(json.dumps(record, ensure_ascii=False))
        else:
            for line in lines(file, looked):
                click.echo(clean(line))
        repaired = None
        if repair is not None:
            with _nothing_replaced(), _progress("Writing", file) as told:
                repaired = request_repair.repair(looked, repair, split=split, rename=rename_duplicates, progress=told)
            if not as_json:
                click.echo()
                for line in _said_of(repaired, summary):
                    click.echo(clean(line))
        if as_json:
            click.echo(json.dumps({"summary": _summary(file, looked, repaired)}, ensure_ascii=False))
    return 0 if summary.fine else BAD


def _limits(call: Call, provider: str | None) -> Limits:
    from ..model import Limits

    if provider is None:
        return Limits()
    from ..config.checking.rehearsing import loaded_plugins
    from ..config.load import provider_limits

    return provider_limits(call.config_path, provider, loaded_plugins(call.config_path, making=False))


@contextmanager
def _nothing_replaced() -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise click.UsageError(
            f"{error.filename} exists already and is not overwritten. Choose another name."
        ) from None


@contextmanager
def _progress(what: str, file: Path) -> Iterator[Callable[[int], object]]:
    size = file.stat().st_size
    if size < LARGE or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=size, label=what, file=sys.stderr, update_min_steps=size // 200) as bar:
        yield bar.update


# --- for people ----------------------------------------------------------------------------------------------------


def lines(file: Path, looked: RequestFile) -> Iterator[str]:
    summary = looked.summary
    whole = f"{count(summary.lines, 'line')}, {summary.size:,} bytes"
    if summary.fine:
        yield f"{file} is fine: {count(summary.good, 'request')} to {summary.model} at {summary.url}, {whole}."
    else:
        yield f"{file}: {count(summary.bad, 'bad line')}, {summary.good:,} good, of {whole}."
    for fault in summary.faulty:
        yield f"  {fault.message} [{fault.code}]"
    for number, finding in enumerate(looked.findings()):
        if number == SHOWN and sys.stdout.isatty():
            yield f"  … and {count(summary.bad - SHOWN, 'more bad line')}. --json lists all."
            break
        for fault in finding.faults:
            yield f"  line {finding.line:,}: {fault.message} [{fault.code}]"
    if summary.faults:
        yield ""
        yield "By reason:"
        yield from (f"  {number:>9,}  {code}" for code, number in summary.faults.most_common())
    notes = _notes(file, summary)
    if notes:
        yield ""
        yield from (f"Note: {note}" for note in notes)


def _notes(file: Path, summary: Summary) -> list[str]:
    taken = "Services accept that; --repair writes it differently."
    notes = [f"{_NOTES[note]}: {count(number, 'line')}. {taken}" for note, number in summary.notes.items()]
    if file.suffix != ".jsonl":
        notes.append("Services take only files whose names end in .jsonl.")
    return notes


def _said_of(repaired: Repaired, summary: Summary) -> Iterator[str]:
    if not repaired.written:
        yield "Nothing was written: no line can be saved."
    for each in repaired.written:
        yield f"Wrote {each.path}: {count(each.requests, 'request')}, {each.size:,} bytes."
    for change, number in repaired.changed.items():
        yield f"  {_CHANGES[change]}: {_named(repaired, change, number)}."
    for code, number in repaired.left_out.items():
        yield f"  Left out: {_named(repaired, code, number)}. [{code}]"
    if repaired.written and not repaired.changed and not repaired.left_out and summary.fine:
        yield "  Nothing had to be changed."


def _named(repaired: Repaired, what: str, number: int) -> str:
    """`3 lines (4, 17 and 20)`, or the first few of them."""
    numbers = [f"{each:,}" for each in repaired.numbers[what]]
    listed = join(numbers) if number == len(numbers) else f"{', '.join(numbers)}, …"
    return f"{count(number, 'line')} ({listed})"


# --- for machines --------------------------------------------------------------------------------------------------


def _records(findings: Iterator[Finding]) -> Iterator[Mapping[str, Any]]:
    """A record for each fault, in the order of the lines."""
    for finding in findings:
        for fault in finding.faults:
            yield {"line": finding.line, "code": fault.code, "param": fault.param, "message": fault.message}


def _summary(file: Path, looked: RequestFile, repaired: Repaired | None) -> Mapping[str, Any]:
    summary, limits = looked.summary, looked.limits
    return {
        "ok": summary.fine,
        "exit_status": 0 if summary.fine else BAD,
        "file": str(file),
        "bytes": summary.size,
        "lines": {"total": summary.lines, "good": summary.good, "bad": summary.bad},
        "model": summary.model,
        "url": summary.url,
        "faults": dict(summary.faults.most_common()),
        "file_faults": [{"code": fault.code, "message": fault.message} for fault in summary.faulty],
        "notes": dict(summary.notes),
        "limits": {name: getattr(limits, name) for name in ("max_requests", "max_bytes", "max_line_bytes")},
        "repair": None
        if repaired is None
        else {
            "written": [
                {"path": str(each.path), "requests": each.requests, "bytes": each.size} for each in repaired.written
            ],
            "changed": dict(repaired.changed),
            "left_out": dict(repaired.left_out),
        },
    }
