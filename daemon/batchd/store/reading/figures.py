"""What programs count over time: sums of events and of spending, and how long things wait. No names of files."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from ..tables.sums import with_money
from .snapshot import State

_LAST = "SELECT COALESCE(MAX(id), 0) AS last FROM events"
_BETWEEN = "events.id > :after AND events.id <= :last"
_KINDS = f"SELECT kind, COUNT(*) AS number FROM events WHERE {_BETWEEN} GROUP BY kind"  # noqa: S608  # words of our own
_FINISHED = f"""
SELECT json_extract(jobs.route, '$.name') AS route, SUM(json_extract(events.data, '$.ok')) AS ok,
       SUM(json_extract(events.data, '$.failed')) AS failed, SUM(json_extract(events.data, '$.skipped')) AS skipped
FROM events JOIN jobs ON jobs.id = events.job WHERE {_BETWEEN} AND kind = 'JobFinished' GROUP BY route
"""  # noqa: S608
_CODES = """
SELECT json_extract(jobs.route, '$.provider') AS provider, each.key AS code, SUM(each.value) AS number
FROM events JOIN jobs ON jobs.id = events.job, json_each(events.data, '$.{field}') AS each
WHERE events.id > :after AND events.id <= :last AND kind = '{kind}' GROUP BY provider, code
"""
_RAISED = f"""
SELECT json_extract(data, '$.subject') AS subject, COUNT(*) AS number FROM events
WHERE {_BETWEEN} AND kind = 'ConditionRaised' GROUP BY subject
"""  # noqa: S608
_BATCH_KINDS = f"""
SELECT batches.provider, kind, COUNT(*) AS number FROM events JOIN batches ON batches.key = events.batch
WHERE {_BETWEEN} AND kind LIKE 'Batch%' GROUP BY batches.provider, kind
"""  # noqa: S608
_BATCHES = """
SELECT provider, lane, state, COUNT(*) AS number, SUM(requests) AS requests, TOTAL(completed + failed) AS answered,
       MIN(COALESCE(submitted_at, created_at)) AS oldest
FROM batches WHERE state NOT IN ('done', 'returned') GROUP BY provider, lane, state
"""
_JOBS = "SELECT state, COUNT(*) AS number, MIN(claimed_at) AS oldest FROM jobs GROUP BY state"
_OPEN_ROWS = """
SELECT json_extract(jobs.route, '$.name') AS route, parts.state, SUM(parts.rows - parts.ok - parts.failed) AS rows
FROM parts JOIN jobs ON jobs.id = parts.job WHERE parts.state != 'collected' GROUP BY route, parts.state
"""
_SPENT = with_money(
    """
SELECT route, provider, model, lane, currency, SUM(answers) AS answers, SUM(input_tokens) AS input_tokens,
       SUM(output_tokens) AS output_tokens, SUM(wasted_output) AS wasted_output, COALESCE(MONEY(cost), 0) AS cost
FROM spending GROUP BY route, provider, model, lane, currency
"""
)
_HEARTBEAT = "SELECT at FROM heartbeat"


class NewEvents(Struct, frozen=True):
    """Counts of the events after a given one. `last` is the newest event; the others are lists of rows."""

    last: int
    kinds: Sequence[sqlite3.Row]
    finished: Sequence[sqlite3.Row]
    failures: Sequence[sqlite3.Row]
    returned: Sequence[sqlite3.Row]
    raised: Sequence[sqlite3.Row]
    batches: Sequence[sqlite3.Row]


def new_events(state: State, after: int) -> NewEvents:
    """Count the events after the event `after`."""
    rows = state.rows(_LAST)
    between = {"after": after, "last": rows[0]["last"] if rows else 0}
    return NewEvents(
        between["last"],
        state.rows(_KINDS, **between),
        state.rows(_FINISHED, **between),
        state.rows(_CODES.format(field="failures", kind="JobFinished"), **between),
        state.rows(_CODES.format(field="reasons", kind="RowsReturned"), **between),
        state.rows(_RAISED, **between),
        state.rows(_BATCH_KINDS, **between),
    )


class OfNow(Struct, frozen=True):
    """The counts of this moment, as lists of rows. `heartbeat` is when the daemon last wrote."""

    jobs: Sequence[sqlite3.Row]
    open_rows: Sequence[sqlite3.Row]
    batches: Sequence[sqlite3.Row]
    spent: Sequence[sqlite3.Row]
    heartbeat: float | None


def of_now(state: State) -> OfNow:
    """Count what there is now."""
    beats = state.rows(_HEARTBEAT)
    return OfNow(
        state.rows(_JOBS),
        state.rows(_OPEN_ROWS),
        state.rows(_BATCHES),
        state.rows(_SPENT),
        beats[0]["at"] if beats else None,
    )
