"""Chains of routes: the answered rows of one are the input of the next."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from .routing import Route

MAX_STEPS = 5


def step_id(parent: str, retry_round: int) -> str:
    """Return the id of the job that gets the answered rows of `parent`: always the same, so that only one is made.

    >>> step_id("k3j9x2ab", 1) == step_id("k3j9x2ab", 1) != step_id("k3j9x2ab", 2), len(step_id("k3j9x2ab", 1))
    (True, 8)
    """
    digest = hashlib.blake2b(f"{parent} {retry_round}".encode(), digest_size=5).digest()
    return base64.b32encode(digest).decode().lower()


def later_steps(name: str | None, routes: Mapping[str, Route]) -> list[Route]:
    """Return the configured steps from this route on, at most MAX_STEPS."""
    steps: list[Route] = []
    while name is not None and name in routes and len(steps) < MAX_STEPS:
        steps.append(routes[name])
        name = routes[name].then
    return steps


def fault_of(start: str, then: Mapping[str, str | None]) -> str | None:
    """Return what is wrong with the chain that begins at this route, or None. The text is made to follow `then`."""
    way = [start]
    while (following := then.get(way[-1])) is not None:
        if following in way:
            return f"leads back to {following}: {' → '.join([*way, following])}. A chain must come to an end"
        way.append(following)
    if len(way) > MAX_STEPS:
        return f"makes a chain of {len(way)} steps: {' → '.join(way)}. At most {MAX_STEPS} are possible"
    return None


def joined_columns(own: Sequence[str], steps: Sequence[Sequence[str]]) -> tuple[list[str], list[list[int]]]:
    """Return the answer columns of a job and its steps together, and the places of each step's columns among them.

    Steps of several rounds usually have the same columns. They are matched by name, in case the route has changed.

    >>> joined_columns(["mood"], [["why"], ["why", "how"]])
    (['mood', 'why', 'how'], [[1], [1, 2]])
    """
    columns, places = list(own), []
    for step in steps:
        used: list[int] = []
        for name in step:
            found = (at for at in range(len(own), len(columns)) if columns[at] == name and at not in used)
            place = next(found, None)
            if place is None:
                place = len(columns)
                columns.append(name)
            used.append(place)
        places.append(used)
    return columns, places
