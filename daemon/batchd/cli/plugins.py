"""`batchd plugins`: what is registered, by whom, and what is broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ..status.formatting import clean, count
from .call import Call, echo_json, echo_table, json_option, pass_call

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

    \b
    Examples:
      batchd plugins
      batchd plugins --json
    """
    from ..config.checking.rehearsing import loaded_plugins
    from ..plugin.catalogue import Role

    catalogue = loaded_plugins(call.config_path_if_any)
    if as_json:
        echo_json(_record(catalogue))
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
    echo_table(("role", "kind", "plugin", "from"), rows)
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
        "offers": [_facts(each, "role", "kind") for each in catalogue.offers],
        "broken": [_facts(each, "role", "kinds", "reason") for each in catalogue.broken],
        "disabled": [_facts(each, "role", "kind") for each in catalogue.disabled],
    }


def _facts(each: Any, *names: str) -> dict[str, object]:
    """These attributes of an offer, and where it comes from."""
    facts = {name: getattr(each, name) for name in ("plugin", "where", *names)}
    return {**facts, "distribution": each.distribution or None}
