"""Pages of jobs: ten thousand jobs are counted and sorted in the database, and only those of one page are read.

Also the batches under way, and whether anything has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...domain.states import FAILED_AT_THE_END
from ...money.budget import WAITS
from .records import BatchSummary, JobSummary
from .snapshot import SQL_FINAL, State, batch_of, sql_words

GROUPS = ("now", "waiting", "held", "failed", "done")
"""Every job is in one of these: worked on, waiting to be sent, waiting for a person, failed, done."""


_BATCHED = "SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state IN ('batched', 'answered')"
_HELD_BATCH = (
    "SELECT 1 FROM parts JOIN batches ON batches.key = parts.batch "
    "WHERE parts.job = jobs.id AND parts.state = 'batched' AND batches.state = 'held'"
)
# A job that is held until there is room in the budget goes on by itself: its reason code begins with WAITS.
_GROUP = f"""
CASE
    WHEN state IN ('failed', 'rejected') THEN 'failed'
    WHEN state = 'done' AND reason_code IN {sql_words(FAILED_AT_THE_END)} THEN 'failed'
    WHEN state IN {SQL_FINAL} THEN 'done'
    WHEN state = 'held' THEN IIF(reason_code LIKE '{WAITS}%', 'waiting', 'held')
    WHEN state != 'running' THEN 'now'
    WHEN EXISTS ({_HELD_BATCH}) THEN 'held'
    WHEN EXISTS ({_BATCHED}) THEN 'now'
    ELSE 'waiting'
END
"""
# LIKE ignores the case of letters, but only of those of ASCII.
_WANTED = """
family IS NULL AND (:route IS NULL OR json_extract(route, '$.name') = :route)
AND (:text = '' OR source LIKE :like ESCAPE '\\' OR substr(id, 1, length(:text)) = :text)
"""
_COUNTS = f"SELECT {_GROUP} AS name, COUNT(*) AS number FROM jobs WHERE {_WANTED} GROUP BY name"  # noqa: S608
# First jobs that wait for a person, then jobs under way, the oldest first; then finished jobs, the latest first.
_PAGE = f"""
SELECT id, {_GROUP} AS name FROM jobs
WHERE {_WANTED} AND (:group IS NULL OR name = :group)
ORDER BY state IN {SQL_FINAL}, name != 'held' AND state != 'failed', finished_at DESC, claimed_at, id
LIMIT :size OFFSET :offset
"""  # noqa: S608


def counts_by_group(state: State, *, route: str | None = None, text: str = "") -> Mapping[str, int]:
    """How many jobs there are in each group."""
    found = {row["name"]: row["number"] for row in state.rows(_COUNTS, **_wanted(route, text))}
    return {name: found.get(name, 0) for name in GROUPS}


def jobs_on_page(
    state: State, *, group: str | None = None, route: str | None = None, text: str = "", size: int, offset: int
) -> Sequence[tuple[str, JobSummary]]:
    """The jobs of one page, each with its group."""
    rows = state.rows(_PAGE, **_wanted(route, text), group=group, size=size, offset=offset)
    return [(row["name"], state.job(row["id"])) for row in rows]


def group_of(state: State, job: str) -> str:
    """The group that a job is in."""
    rows = state.rows(f"SELECT {_GROUP} AS name FROM jobs WHERE id = :job", job=job)  # noqa: S608
    return str(rows[0]["name"])


def route_names(state: State) -> Sequence[str]:
    """The routes of all jobs there are."""
    rows = state.rows("SELECT DISTINCT json_extract(route, '$.name') AS name FROM jobs ORDER BY name")
    return [row["name"] for row in rows if row["name"]]


def _wanted(route: str | None, text: str) -> dict[str, Any]:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {"route": route, "text": text, "like": f"%{escaped}%"}


_IN_WORK = """
SELECT *, requests AS ours FROM batches WHERE state NOT IN ('done', 'returned') ORDER BY created_at, key LIMIT :most
"""
_IN_WORK_COUNT = "SELECT COUNT(*) AS number FROM batches WHERE state NOT IN ('done', 'returned')"
# Everything that a person could see change. The answers of a batch under way grow without an event.
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
    """Return a text that changes as soon as something that people see has changed."""
    return "|".join(str(value) for row in state.rows(_VERSION) for value in row)
