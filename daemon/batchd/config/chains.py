"""Chains of routes: checks each `then`, and gives a route without sinks those of the last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..domain.chains import fault_of, later_steps
from ..domain.routing import Route
from ..domain.words import proposal
from ..values import replace
from .problems import Problems


def chained(routes: Sequence[Route], tables: Mapping[str, Any], problems: Problems) -> list[Route]:
    """The routes, each with the sinks for what comes of its chain. `tables` are the routes as they are written."""
    written = {name: table for name, table in tables.items() if isinstance(table, dict)}
    then = {name: table["then"] for name, table in written.items() if isinstance(table.get("then"), str)}
    by_name = {route.name: route for route in routes}
    for name, following in then.items():
        keys = ("routes", name, "then")
        if following not in written:
            problems.add(keys, f"there is no table [routes.{following}]{proposal(following, written, 'there are')}")
            continue
        if (fault := fault_of(name, then)) is not None:
            problems.add(keys, fault)
        if written[following].get("questions") is not None:
            because = 'whose questions = "folder": answers lie in no folder. Write its question there'
            problems.add(keys, f"leads to {following}, {because}")
    return [
        replace(route, sinks=later_steps(route.then, by_name)[-1].sinks)
        if route.then in by_name and "sinks" not in written[route.name]
        else route
        for route in routes
    ]
