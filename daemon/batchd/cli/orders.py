"""`batchd approve`, `cancel`, `retry` and so on: orders, left for the daemon in the database."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

from ..status.formatting import clean
from .call import Call, echo_json, json_option, pass_call
from .naming import complete_any, complete_unfinished
from .showing.folding import for_stream

if TYPE_CHECKING:
    from ..orders.values import Order

PURGE_WITHIN = 60.0
"""Seconds to wait for the answer to a purge, while the daemon deletes files at the provider."""


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_unfinished)
@click.option("--up-to", metavar="AMOUNT", help="Allow no more than this in all, in units of the currency.")
@json_option
@pass_call
def approve(call: Call, jobs: Sequence[str], up_to: str | None, *, as_json: bool) -> int:
    """Let held jobs go on.

    batchd holds a job before it sends anything if the job could cost more than its budget allows, or where
    there is a limit and its cost is not known. This approves the most that it can cost, as `batchd status JOB` shows
    it, and no more: if questions must be asked again and that could cost more, the job is held again. A job that is
    held after its pilot goes on within the budget, or within --up-to.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd approve may.csv
      batchd approve k3j9x2ab --up-to 12.50
    """
    from ..orders.values import Approve

    most = None if up_to is None else _amount(up_to)
    return _leave(call, [Approve(job, most) for job in _jobs(call, jobs)], as_json=as_json)


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_unfinished)
@json_option
@pass_call
def cancel(call: Call, jobs: Sequence[str], *, as_json: bool) -> int:
    """Cancel jobs. The answers that are there already are delivered.

    Rows without an answer are marked as skipped; `batchd retry` asks them later. A batch that the provider already has
    is cancelled there, unless other jobs share it.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd cancel k3j9x2ab
    """
    from ..orders.values import Cancel

    return _leave(call, [Cancel(job) for job in _jobs(call, jobs)], as_json=as_json)


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_any)
@json_option
@pass_call
def retry(call: Call, jobs: Sequence[str], *, as_json: bool) -> int:
    """Ask failed and skipped rows again.

    A stopped job goes on where it stopped. Rows that have an answer are not asked again and not paid again. The new
    results stand beside the first ones.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd retry may.csv
    """
    from ..orders.values import Retry

    return _leave(call, [Retry(job) for job in _jobs(call, jobs)], as_json=as_json)


@click.command("skip-sink")
@click.argument("job", shell_complete=complete_unfinished)
@click.argument("sink", metavar="NAME")
@json_option
@pass_call
def skip_sink(call: Call, job: str, sink: str, *, as_json: bool) -> int:
    """Publish nothing of a job through a sink that does not work.

    The job goes on without it: its other sinks and its report are not changed by that. `batchd status` shows which sink
    fails.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd skip-sink may.csv webhook
    """
    from ..orders.values import SkipSink

    return _leave(call, [SkipSink(each, sink) for each in _jobs(call, [job])], as_json=as_json)


@click.command()
@click.argument("batch")
@click.option("--found", metavar="REMOTE_ID", help="The provider has it, under this id: go on with that one.")
@click.option(
    "--absent", is_flag=True, help="The provider certainly does not have it, or will not send the rest: ask again."
)
@json_option
@pass_call
def resolve(call: Call, batch: str, *, found: str | None, absent: bool, as_json: bool) -> int:
    """Say what to do with a batch that is held or unknown.

    batchd holds a batch when it would have to guess: the connection broke while the batch was created, the provider
    does not know it since another account is configured, or it does not send all answers that it counts. `batchd
    status JOB` says which. Where only time can tell whether a batch exists, batchd waits; you may see it sooner.
    Look at the provider's own list first: what is asked again is paid again.

    \b
    Examples:
      batchd resolve 7f3k9x2a --found batch_68ab
      batchd resolve 7f3k9x2a --absent
    """
    if absent == bool(found):
        raise click.UsageError("Say either --found REMOTE_ID or --absent.")
    from ..orders.values import Resolve
    from ..status.finding import find_batch

    key = find_batch(call.places().state, batch).key
    return _leave(call, [Resolve(key, found or None)], as_json=as_json)


@click.command()
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True, shell_complete=complete_any)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_call
def purge(call: Call, jobs: Sequence[str], *, yes: bool, as_json: bool) -> int:
    """Delete all that batchd and the provider keep of finished jobs.

    That is the working files, the answers that are remembered for reuse, and the input and answer files at the
    provider. What could not be deleted is said. Files in the outbox, the archive and the rejected folder are yours,
    and stay.

    JOB is an id, its first characters, or the name of the dropped file.

    \b
    Examples:
      batchd purge may.csv
      batchd purge k3j9x2ab --yes
    """
    from ..orders.values import Purge
    from ..status.finding import find_jobs

    found = find_jobs(call.places().state, jobs)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("This cannot be undone. Without a terminal, say --yes.")
        named = [clean(f"{job.source} (job {job.id})") for job in found]
        what = named[0]
        if len(named) > 1:
            what = f"these {len(named)} files"
            click.echo("\n".join(named), err=True)
        if not click.confirm(
            f"Delete all that batchd and the provider keep of {what}? This cannot be undone.", err=True
        ):
            return 1
    return _leave(call, [Purge(job.id) for job in found], as_json=as_json, answer_within=PURGE_WITHIN)


@click.command()
@click.argument("name", required=False)
@json_option
@pass_call
def pause(call: Call, name: str | None, *, as_json: bool) -> int:
    """Stop all sending, or that to the provider or route NAME.

    It stays so until `batchd resume`, through restarts too. Files are taken and prepared as before. Batches that a
    provider has are collected and delivered, and live calls under way end. What has not been sent waits. If a provider
    and a route have the same name, write provider:NAME or route:NAME.

    \b
    Examples:
      batchd pause
      batchd pause holysheep
      batchd pause route:reviews
    """
    from ..orders.values import Pause

    return _leave(call, [Pause(_what(call, name))], as_json=as_json)


@click.command()
@click.argument("name", required=False)
@json_option
@pass_call
def resume(call: Call, name: str | None, *, as_json: bool) -> int:
    """Resume all sending, or that to the provider or route NAME.

    \b
    Examples:
      batchd resume
      batchd resume holysheep
    """
    from ..orders.values import Resume

    return _leave(call, [Resume(_what(call, name))], as_json=as_json)


def _what(call: Call, name: str | None) -> str:
    """The target of the order: `provider NAME`, `route NAME`, or everything."""
    from ..config import toml as toml_text
    from ..domain.subjects import EVERYTHING

    if name is None:
        return EVERYTHING
    data = toml_text.read(call.config_path).data
    known: dict[str, Collection[str]] = {kind: data.get(f"{kind}s", {}) for kind in ("provider", "route")}
    kind, colon, rest = name.partition(":")
    if colon and kind in known and rest in known[kind]:
        return f"{kind} {rest}"
    found = [each for each, names in known.items() if name in names]
    if len(found) == 1:
        return f"{found[0]} {name}"
    if found:
        raise click.UsageError(f"A provider and a route are called {name}: write provider:{name} or route:{name}.")
    names = sorted({*known["provider"], *known["route"]})
    raise click.UsageError(f"The configuration has no provider or route {name}. It has {', '.join(names)}.")


def _amount(text: str) -> str:
    from ..orders.values import amount

    try:
        return amount(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--up-to'") from None


def _jobs(call: Call, words: Sequence[str]) -> list[str]:
    """The ids of the jobs. All are found before the first order is written."""
    from ..status.finding import find_jobs

    return [job.id for job in find_jobs(call.places().state, words)]


def _leave(call: Call, orders: Sequence[Order], *, as_json: bool, answer_within: float | None = None) -> int:
    """Leave orders and print the answers. Return 1 if the daemon refused one."""
    from ..orders.leaving import ANSWER_WITHIN, Sender, leave_orders

    within = answer_within or ANSWER_WITHIN
    outcomes = leave_orders(call.places().state, orders, Sender.on_the_command_line(), answer_within=within)
    if as_json:
        echo_json([each.record() for each in outcomes])
    else:
        for each in outcomes:
            text = clean(each.text)
            stream = sys.stderr if each.refused else sys.stdout
            click.echo(for_stream(f"batchd: {text}" if each.refused else text, stream), err=each.refused)
    return 1 if any(each.refused for each in outcomes) else 0
