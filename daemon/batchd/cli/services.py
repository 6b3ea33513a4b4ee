"""`batchd services`: the services that plugins know, and what is known of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..status.formatting import clean
from .call import Call, echo_json, echo_table, json_option, pass_call

if TYPE_CHECKING:
    from ..config.service_table import ServiceTable

HEADS = ("name", "asked in", "window", "requests", "file", "discount", "plugin", "read")
_ASKED = {"batch": "batches", "live": "live calls", "auto": "batches if it has them"}


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--markdown", is_flag=True, help="The list as a table in Markdown, as docs/services.md has it.")
@json_option
@pass_call
def services(call: Call, name: str | None, *, markdown: bool, as_json: bool) -> None:
    """List the services that batchd knows.

    A provider that names one as `service` gets its address, limits and other keys.

    With NAME: all that is known of that one, and where it was read.

    \b
    Examples:
      batchd services
      batchd services groq
    """
    from ..config.checking.rehearsing import loaded_plugins
    from ..config.service_table import all_services, service_named

    catalogue = loaded_plugins(call.config_path_if_any, making=False)
    if name is not None:
        table = service_named(catalogue, name)
        if as_json:
            echo_json(record(name, table))
        else:
            click.echo(in_full(name, table))
        return
    known = all_services(catalogue)
    if as_json:
        records = [record(each, table) for each, table in known.items()]
        echo_json({"services": records})
        return
    if markdown:
        click.echo(as_markdown(known), nl=False)
        return
    echo_table(HEADS, [row(each, table) for each, table in known.items()])
    click.echo("\nAll that is known of one: batchd services NAME. To begin with one: batchd init --service NAME")


def row(name: str, table: ServiceTable) -> tuple[str, ...]:
    limits, windows = table.limits, list(dict.fromkeys(table.window))
    return (
        name,
        _ASKED[table.mode],
        " to ".join(windows) or "-",
        f"{limits.max_requests:,}" if limits.max_requests else "-",
        f"{limits.max_bytes // 1_000_000:,} MB" if limits.max_bytes else "-",
        table.discount or "not known",
        table.plugin,
        max(each.at for each in table.read),
    )


def record(name: str, table: ServiceTable) -> dict[str, Any]:
    """All that is known of a service, for machines."""
    return {"name": name, "asked_in": {"batch": "batches", "live": "live calls"}.get(table.mode, "not known")} | (
        table.model_dump(mode="json")
    )


def in_full(name: str, table: ServiceTable) -> str:
    """All that is known of a service, with the lines that choose it."""
    import tomli_w

    keys = {f"service = {json.dumps(name)}"} | {f"{key} = {json.dumps(text)}" for key, text in table.needed.items()}
    lines = [f"{table.title}, by the plugin {table.plugin}. To choose it:", "", f"  [providers.{name}]"]
    lines += [f"  {line}" for line in sorted(keys, reverse=True)]
    lines += ["", "These keys of a provider come with it, and yours win over them:", ""]
    lines += [f"  {line}" if line else "" for line in tomli_w.dumps(table.provider).rstrip().splitlines()]
    for heading, texts in _facts(table).items():
        if texts:
            lines += ["", f"{heading}:", *(f"  {clean(text)}" for text in texts)]
    return "\n".join(lines)


def _facts(table: ServiceTable) -> Mapping[str, Sequence[str]]:
    units = {"max_requests": "requests in a batch", "max_bytes": "bytes in its file", "max_line_bytes": "bytes a line"}
    units["max_enqueued_tokens"] = "tokens in unfinished batches"
    limits = [f"{number:,} {units[key]}" for key, number in table.limits.model_dump(exclude_none=True).items()]
    return {
        "It takes at most": limits,
        "It may be given for a batch": [" to ".join(dict.fromkeys(table.window))] if table.window else [],
        "Discount of a batch": [table.discount or "not known"],
        "Endpoints": table.endpoints,
        "Endpoints in batches": table.batch_endpoints or [],
        "Other prices": [_lane(lane) for lane in table.lanes],
        "Worth knowing": table.quirks,
        "Read": [f"{each.at}: {each.where} ({each.whose})" for each in table.read],
    }


def _lane(lane: Any) -> str:
    price = "price not known" if lane.discount is None else f"{lane.discount:.0%} off"
    if lane.discount is not None and lane.discount < 0:
        price = f"{-lane.discount:.0%} more"
    if lane.discount == 0:
        price = "the usual price"
    ways = [f"params.{key} = {json.dumps(value)}" for key, value in lane.params.items()]
    ways += [f"at {', '.join(lane.hours)} (UTC)"] if lane.hours else []
    return f"{lane.name}: {price}; {'; '.join([*ways, *([lane.how] if lane.how else [])])}"


def as_markdown(known: Mapping[str, ServiceTable]) -> str:
    rows = [("service", *HEADS[1:]), ("---",) * len(HEADS)]
    rows += [(f"`{name}`", *row(name, table)[1:]) for name, table in known.items()]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
