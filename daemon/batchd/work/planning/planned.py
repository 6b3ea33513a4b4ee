"""Finds the tokens planned for single rows, for answers that the service billed but whose tokens it did not count."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path

from ...model import Usage
from ...money import tokens
from ...requests.rules import BodyRules, writes
from ..part_files import requests_of

BYTES_PER_TOKEN = 2
"""For an answer without a limit of tokens. Real tokens are longer, so this never counts fewer than were used."""


def planned_usage(
    requests: Path, sizes: Mapping[int, int], *, endpoint: str, model: str, factor: float
) -> dict[int, Usage]:
    """Return the most tokens that each of these rows was planned to use, read from the requests that were sent.

    `sizes` are the bytes of the rows' answers, which count if a request set no limit. `factor` turns counted input
    tokens into the most that a service may count.
    """
    rules, count = BodyRules(endpoint, model), tokens.counter(model)
    planned: dict[int, Usage] = {}
    counted = given = 0
    for row, body in requests_of(requests):
        if row not in sizes:
            continue
        _, most = rules.read(body)
        output = (most or max(1, ceil(sizes[row] / BYTES_PER_TOKEN))) if writes(endpoint) else 0
        # The sum is rounded up once, as in planning: so no job costs more than was planned.
        counted += count(body)
        own, given = ceil(counted * factor) - given, ceil(counted * factor)
        planned[row] = Usage(own, 0, output)
    return planned
