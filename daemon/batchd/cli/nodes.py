"""`batchd nodes`: the machines that workers run on."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from ..status.formatting import clean, count
from .call import Call, echo_json, json_option, pass_call

NOT_AVAILABLE = 5


@click.command()
@json_option
@pass_call
def nodes(call: Call, *, as_json: bool) -> int:
    """List the machines that workers run on, and what they run now.

    It asks them itself, so no daemon need run. One that does not have what is installed here is not used: it is listed
    with what is missing.

    Exits with 5 if no machine can be used.

    \b
    Examples:
      batchd nodes
      batchd nodes --json
    """
    from ..app.executors import nodes_of

    config, catalogue = call.load()
    found = asyncio.run(nodes_of(config, catalogue))
    trouble = found.trouble
    if as_json:
        record = {
            "executor": config.workers.executor,
            "number": found.number,
            "trouble": trouble or None,
            "nodes": [
                {**asdict(node), "running": list(node.running), "fault": node.fault or None} for node in found.nodes
            ],
        }
        echo_json(record)
        return NOT_AVAILABLE if trouble else 0
    if not found.nodes and not trouble:
        click.echo(f"Workers run on this machine alone: {count(found.number, 'task')} at a time.")
    for node in found.nodes:
        sign, colour = ("✗", "red") if node.fault else ("✓", "green")
        about = f"{count(node.slots, 'task')} at a time, batchd {node.batchd}, Python {node.python}"
        what = f"is not used: {node.fault}" if node.fault else f"{about}; {', '.join(node.running) or 'idle'}"
        click.echo(f"{click.style(sign, fg=colour)} {click.style(clean(node.name), bold=True)}: {clean(what)}")
    if trouble:
        click.echo(clean(trouble))
    return NOT_AVAILABLE if trouble else 0
