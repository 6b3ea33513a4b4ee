"""How work goes on: the batches under way, and whether anything has changed."""

from __future__ import annotations

from collections.abc import Sequence

from .records import BatchSummary
from .snapshot import State, batch_of

_IN_WORK = """
SELECT *, requests AS ours FROM batches WHERE state NOT IN ('done', 'returned') ORDER BY created_at, key LIMIT :most
"""
_IN_WORK_COUNT = "SELECT COUNT(*) AS number FROM batches WHERE state NOT IN ('done', 'returned')"
# Everything that a person could see change. A batch under way says more answers without an event.
_VERSION = """
SELECT (SELECT MAX(id) FROM events) AS event,
       (SELECT TOTAL(completed + failed) FROM batches WHERE state IN ('submitted', 'ended')) AS answered,
       (SELECT TOTAL(ok + failed) FROM parts WHERE state != 'collected') AS collected,
       (SELECT GROUP_CONCAT(state || number) FROM (SELECT state, COUNT(*) AS number FROM jobs GROUP BY state)) AS jobs,
       (SELECT GROUP_CONCAT(text) FROM conditions) AS conditions
"""


def batches_in_work(state: State, *, most: int) -> tuple[Sequence[BatchSummary], int]:
    """The oldest batches that are not done, and how many there are in all."""
    rows = state.rows(_IN_WORK_COUNT)
    return [batch_of(row) for row in state.rows(_IN_WORK, most=most)], rows[0]["number"] if rows else 0


def version(state: State) -> str:
    """A text that is another one as soon as something that people see has changed."""
    return "|".join(str(value) for row in state.rows(_VERSION) for value in row)
