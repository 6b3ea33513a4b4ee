"""`batchd plugins`: what is registered, by whom, and what is broken."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError
from ..status.formatting import clean, count
from .call import Call, json_option, pass_call

if TYPE_CHECKING:
    from ..plugin.catalogue import Catalogue


@click.command()
@json_option
@pass_call
def plugins(call: Call, *, as_json: bool) -> None:
    """List what plugins offer, and which are broken or disabled.

    They offer readers, prompt builders, providers, sinks, observers, executors, services and commands.

    Plugins are installed distributions with an entry point `batchd`, and the .py files of the plugin_dir that the
    configuration names. A broken one is listed with the reason; it stops the daemon only if a route needs it.
    """
    from ..config.checking.rehearsing import loaded_plugins
    from ..plugin.catalogue import Role

    path = None
    try:
        path = call.config_path
    except ConfigError:
        if call.config is not None:
            raise
        # Without a configuration there is no plugin_dir, and the installed plugins can still be listed.
    catalogue = loaded_plugins(path)
    if as_json:
        click.echo(json.dumps(_record(catalogue), ensure_ascii=False, indent=2))
        return
    rows = [
        (offer.role.noun, offer.kind, offer.plugin, offer.distribution or offer.where)
        for offer in catalogue.offers
        if offer.role is not Role.SERVICE
    ]
    served = Counter(
        (each.plugin, each.distribution or each.where) for each in catalogue.offers if each.role is Role.SERVICE
    )
    rows += [(Role.SERVICE.noun, f"{number} (batchd services)", *whose) for whose, number in served.items()]
    _echo_table(("role", "kind", "plugin", "from"), rows)
    broken = catalogue.broken
    if broken:
        click.echo(f"\n{count(len(broken), 'plugin')} cannot be used:")
        for each in broken:
            click.echo(f"  {click.style('✗', fg='red')} {clean(each.sentence)}")

    if catalogue.disabled:
        click.echo("\nDisabled by [plugins] disabled:")
        for left_out in catalogue.disabled:
            click.echo(f"  - {clean(left_out.sentence)}")
    from ..plugin.installing import Environment, install_line

    click.echo(f"\nTo install one more where batchd runs:\n  {install_line(Environment.here(), 'batchd-NAME')}")
    click.echo("To write one: batchd new-plugin NAME --role sink")


def _record(catalogue: Catalogue) -> dict[str, object]:
    from ..plugin.installing import Environment, install_line

    return {
        "install": install_line(Environment.here(), "batchd-NAME"),
        "offers": [
            {
                "role": offer.role,
                "kind": offer.kind,
                "plugin": offer.plugin,
                "distribution": offer.distribution or None,
                "where": offer.where,
            }
            for offer in catalogue.offers
        ],
        "broken": [
            {
                "plugin": each.plugin,
                "distribution": each.distribution or None,
                "where": each.where,
                "role": each.role,
                "kinds": list(each.kinds),
                "reason": each.reason,
            }
            for each in catalogue.broken
        ],
        "disabled": [
            {
                "plugin": each.plugin,
                "distribution": each.distribution or None,
                "where": each.where,
                "role": each.role,
                "kind": each.kind,
            }
            for each in catalogue.disabled
        ],
    }


def _echo_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for number, row in enumerate((heads, *rows)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(clean(line), bold=True) if number == 0 else clean(line))
