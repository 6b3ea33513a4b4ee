"""What was planned for single rows, for answers that the service billed and did not count."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path

from ...model import Usage
from ...money import tokens
from ...requests.rules import BodyRules, writes
from ..part_files import requests_of

BYTES_PER_TOKEN = 2
"""Of an answer without a limit to its tokens. Real ones are longer, so this counts no less than was used."""


def planned_usage(
    requests: Path, sizes: Mapping[int, int], *, endpoint: str, model: str, factor: float
) -> dict[int, Usage]:
    """The most that each of these rows was planned to use, out of the requests that were sent.

    `sizes` are the bytes that were answered, which count where a request set no limit. `factor` leads from counted
    input tokens to the most that a service may count.
    """
    rules, count = BodyRules(endpoint, model), tokens.counter(model)
    planned: dict[int, Usage] = {}
    counted = given = 0
    for row, body in requests_of(requests):
        if row not in sizes:
            continue
        _, most = rules.read(body)
        output = (most or max(1, ceil(sizes[row] / BYTES_PER_TOKEN))) if writes(endpoint) else 0
        # All of them together are rounded up once, as when they were planned: no job costs more than it was said to.
        counted += count(body)
        own, given = ceil(counted * factor) - given, ceil(counted * factor)
        planned[row] = Usage(own, 0, output)
    return planned
