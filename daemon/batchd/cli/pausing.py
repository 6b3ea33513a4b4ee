"""`batchd pause` and `batchd resume`: orders that sending stops and goes on."""

from __future__ import annotations

from collections.abc import Collection

import click

from .call import Call, json_option, pass_call
from .orders import leave


@click.command()
@click.argument("name", required=False)
@json_option
@pass_call
def pause(call: Call, name: str | None, *, as_json: bool) -> int:
    """Send nothing new: at all, or to a provider or of a route NAME.

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

    return leave(call, [Pause(_what(call, name))], as_json=as_json)


@click.command()
@click.argument("name", required=False)
@json_option
@pass_call
def resume(call: Call, name: str | None, *, as_json: bool) -> int:
    """Send again: all, or to the provider or of the route NAME.

    \b
    Examples:
      batchd resume
      batchd resume holysheep
    """
    from ..orders.values import Resume

    return leave(call, [Resume(_what(call, name))], as_json=as_json)


def _what(call: Call, name: str | None) -> str:
    """What NAME is, as the order says it."""
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
