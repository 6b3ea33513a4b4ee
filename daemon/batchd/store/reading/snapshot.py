"""The questions that people ask of the database: what is where, how far, since when, and what happened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...domain.states import FAILED_AT_THE_END, LIVE_RATE
from ...domain.subjects import Subject, subjects_of
from ...receipts import Receipt
from ...secrets.fingerprint import account_name
from ..tables.sums import with_money
from .opening import connected
from .records import FINAL, BatchSummary, Condition, Delivery, JobSummary, LearntLimit, StoredEvent, Tokens


def sql_words(words: Collection[str]) -> str:
    """The words as a list in SQL."""
    return "(" + ", ".join(f"'{word}'" for word in sorted(words)) + ")"


SQL_FINAL = sql_words(FINAL)

_JOBS = """
SELECT *, json_extract(route, '$.name') AS route_name, json_extract(route, '$.provider') AS provider,
       json_extract(route, '$.model') AS model, json_extract(route, '$.sinks') AS sinks,
       json_extract(route, '$.then') AS "then",
       json_extract(terms, '$.currency') AS currency, json_extract(before_fallback, '$.provider') AS moved_from
FROM jobs
"""

# Usage is stored as JSON: input, cached input and output tokens.
_PARTS = """
SELECT job, state, COUNT(*) AS number, SUM(rows) AS rows, SUM(ok) AS ok, SUM(failed) AS failed, SUM(empty) AS empty,
       SUM(requests) AS requests, MAX(rest_until) AS rest_until,
       SUM(json_extract(usage, '$[0]')) AS input, SUM(json_extract(usage, '$[1]')) AS cached,
       SUM(json_extract(usage, '$[2]')) AS output,
       SUM(json_extract(wasted, '$[0]')) AS wasted_input, SUM(json_extract(wasted, '$[2]')) AS wasted_output
FROM parts WHERE job IN (SELECT value FROM json_each(:jobs)) GROUP BY job, state
"""

_BATCHES_UNDER_WAY = """
SELECT batches.*, parts.job AS job, SUM(parts.requests) AS ours
FROM parts JOIN batches ON batches.key = parts.batch
WHERE parts.job IN (SELECT value FROM json_each(:jobs)) AND parts.state = 'batched'
GROUP BY parts.job, batches.key ORDER BY batches.created_at, batches.key
"""

# `ours` is known of a batch under way, from its parts. Of a batch of the past it is not kept.
_BATCHES = """
SELECT batches.*, COALESCE((SELECT SUM(parts.requests) FROM parts
                            WHERE parts.batch = batches.key AND parts.job = :job), 0) AS ours
FROM batches
WHERE batches.key IN (SELECT batch FROM batch_parts
                      WHERE job = :job OR job IN (SELECT id FROM jobs WHERE family = :job))
ORDER BY batches.created_at, batches.key
"""

# The job's own events, those of its batches, and what kept it waiting while it was under way. Conditions belong to
# no job: looking for them from the job's first event on avoids reading years of others.
_EVENTS = """
SELECT * FROM events WHERE job = :job OR job IN (SELECT id FROM jobs WHERE family = :job)
UNION
SELECT * FROM events WHERE batch IN (SELECT batch FROM batch_parts
                                     WHERE job = :job OR job IN (SELECT id FROM jobs WHERE family = :job))
UNION
SELECT * FROM events
WHERE id > (SELECT MIN(id) FROM events WHERE job = :job) AND at <= :until
  AND kind IN ('ConditionRaised', 'ConditionCleared')
  AND json_extract(data, '$.subject') IN (SELECT value FROM json_each(:subjects))
ORDER BY id
"""

# What was spent; NULL if the price of some of it was not known.
_MONEY = with_money(
    "SELECT job, CASE WHEN COUNT(cost) = COUNT(*) THEN MONEY(cost) END AS cost FROM ("
    "SELECT asked.value AS job, cost FROM json_each(:jobs) AS asked JOIN spending ON spending.job = asked.value "
    "UNION ALL SELECT jobs.family, cost FROM json_each(:jobs) AS asked JOIN jobs ON jobs.family = asked.value "
    "JOIN spending ON spending.job = jobs.id) GROUP BY job"
)

# Only of the latest batches: a provider that is slow today was slow yesterday, but perhaps not last year.
_DURATIONS = """
SELECT provider, lane, ended_at - submitted_at AS seconds FROM batches
WHERE state = 'done' AND ended_at >= submitted_at AND rowid > (SELECT MAX(rowid) FROM batches) - 1000
ORDER BY rowid DESC LIMIT 100
"""

_LAST_WORD = "SELECT data FROM events WHERE job = :job AND kind = 'JobFinished' ORDER BY id DESC LIMIT 1"

# All jobs, or those of a route, or those that came since a moment.
_WANTED = """
family IS NULL AND (:route IS NULL OR json_extract(route, '$.name') = :route)
AND (:since IS NULL OR claimed_at >= :since)
"""
# Jobs of which at least one row has no answer.
_NOT_WELL = f"""
(state = 'rejected' OR reason_code IN {sql_words(FAILED_AT_THE_END)}
 OR EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.failed > 0))
"""  # noqa: S608  # words of our own
_DONE = """
SELECT COUNT(*) AS jobs, COALESCE(SUM(rows), 0) AS rows FROM jobs
WHERE family IS NULL AND state = 'done' AND finished_at >= :since
"""
# The time must match exactly: an earlier file of the same name and size may have come a second before.
_OF_FILE = """
SELECT id FROM jobs
WHERE family IS NULL AND source = :place AND json_extract(stamp, '$[1]') = :size
  AND json_extract(stamp, '$[2]') = :changed
ORDER BY claimed_at DESC LIMIT 1
"""
_SPENT = with_money(
    "SELECT COALESCE(MONEY(cost), 0) AS cost FROM spent_by_day WHERE day = :day AND currency = :currency"
)


class State:
    """One consistent look. A missing database is no error: nothing has been dropped yet, so all reads are empty."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self.connection = connection

    def unfinished(self, *, route: str | None = None, since: float | None = None) -> list[JobSummary]:
        """Jobs that are not finished, the oldest first; only those of `route`, or that came since `since`."""
        where = f"WHERE state NOT IN {SQL_FINAL} AND {_WANTED} ORDER BY claimed_at, id"
        return self._jobs(where, route=route, since=since)

    def finished(
        self, most: int, *, route: str | None = None, since: float | None = None, failed: bool = False
    ) -> list[JobSummary]:
        """The `most` jobs that were finished last, the latest last; all of them if `most` is negative.

        With `failed`, only those that were rejected, or have rows without an answer.
        """
        where = f"WHERE state IN {SQL_FINAL} AND {_WANTED}{f' AND {_NOT_WELL}' if failed else ''}"
        order = "ORDER BY finished_at DESC, claimed_at DESC, id LIMIT :most"
        return self._jobs(f"{where} {order}", most=most, route=route, since=since)[::-1]

    def finished_count(self, *, route: str | None = None, since: float | None = None, failed: bool = False) -> int:
        """How many finished jobs there are, of those that `finished` chooses from."""
        where = f"state IN {SQL_FINAL} AND {_WANTED}{f' AND {_NOT_WELL}' if failed else ''}"
        rows = self.rows(f"SELECT COUNT(*) AS number FROM jobs WHERE {where}", route=route, since=since)  # noqa: S608
        return rows[0]["number"] if rows else 0

    def done_since(self, since: float) -> tuple[int, int]:
        """How many jobs were done since `since`, and their rows."""
        for row in self.rows(_DONE, since=since):
            return row["jobs"], row["rows"]
        return 0, 0

    def stopped_count(self) -> int:
        """How many jobs have stopped until a person acts."""
        return sum(row["number"] for row in self.rows("SELECT COUNT(*) AS number FROM jobs WHERE state = 'failed'"))

    def spent_on(self, day: int, currency: str) -> int:
        """What was spent on this day of UTC, in subunits. `day` is in days since 1970."""
        return sum(row["cost"] for row in self.rows(_SPENT, day=day, currency=currency))

    def failures(self, job: str) -> Mapping[str, int]:
        """How many rows of a finished job failed, by code."""
        return dict(self._last_word(job).get("failures", {}))

    def job(self, job: str) -> JobSummary:
        """One job; KeyError if there is none of this id."""
        found = self._jobs("WHERE id = :job", job=job)
        if not found:
            raise KeyError(job)
        return found[0]

    def batches(self, job: str) -> list[BatchSummary]:
        """Every batch that had rows of the job, the oldest first."""
        return [batch_of(row) for row in self.rows(_BATCHES, job=job)]

    def deliveries(self, job: str) -> list[Delivery]:
        """What was published of the job."""
        rows = self.rows("SELECT * FROM deliveries WHERE job = :job ORDER BY delivered_at, sink", job=job)
        return [
            Delivery(
                row["sink"],
                json.loads(row["files"]),
                row["delivered_at"],
                Receipt.read(json.loads(row["receipt"])) if row["receipt"] else None,
            )
            for row in rows
        ]

    def conditions(self) -> list[Condition]:
        """What keeps the daemon waiting, the oldest first."""
        rows = self.rows("SELECT * FROM conditions ORDER BY since, subject")
        return [Condition(Subject.parse(row["subject"]), row["text"], row["since"]) for row in rows]

    def durations(self) -> list[tuple[str, str, float]]:
        """Provider, batch or live, and seconds from submission to end of the last batches that are done."""
        return [(row["provider"], row["lane"], row["seconds"]) for row in self.rows(_DURATIONS)]

    def limits(self) -> list[LearntLimit]:
        """The limits that batchd learned from refusals."""
        rows = self.rows("SELECT * FROM learnt_limits ORDER BY provider, model")
        return [LearntLimit(*(row[name] for name in LearntLimit._fields)) for row in rows]

    def events(self, job: str) -> list[StoredEvent]:
        """The events of a job and of its batches, in order, with those of the conditions that kept it waiting."""
        from ...events import from_record  # two dozen classes, which no other command needs

        asked = self.job(job)
        batches = [batch.key for batch in self.batches(job)]
        subjects = subjects_of(job, provider=asked.provider, route=asked.route, sinks=asked.sinks, batches=batches)
        until = float("inf") if asked.finished_at is None else asked.finished_at
        rows = self.rows(_EVENTS, job=job, until=until, subjects=json.dumps([str(subject) for subject in subjects]))
        told = []
        for row in rows:
            data = json.loads(row["data"])
            event = from_record(row["kind"], data, job=row["job"], batch=row["batch"])
            told.append(StoredEvent(row["at"], row["kind"], row["job"], row["batch"], data, event))
        return told

    def jobs_called(self, word: str) -> list[JobSummary]:
        """The jobs that `word` may mean: by id, by the beginning of an id, by the file's path or name. Oldest first."""
        by_name = "family IS NULL AND (source = :word OR substr(source, -length(:word) - 1) = '/' || :word)"
        by_place = "family IS NULL AND source = :word"
        for where in ("id = :word", by_place, "substr(id, 1, length(:word)) = :word", by_name):
            found = self._jobs(f"WHERE {where} ORDER BY claimed_at, id", word=word)
            if found:
                return found
        return []

    def job_of_file(self, place: str, size: int, changed: int) -> str | None:
        """The job of the file that lay at this place of the inbox, of this size, and written at that time."""
        rows = self.rows(_OF_FILE, place=place, size=size, changed=changed)
        return str(rows[0]["id"]) if rows else None

    def batches_called(self, word: str) -> list[BatchSummary]:
        """The batches that `word` may mean: by key, by its beginning, by what the provider calls it."""
        for where in ("key = :word", "remote = :word", "substr(key, 1, length(:word)) = :word"):
            query = f"SELECT *, 0 AS ours FROM batches WHERE {where} ORDER BY created_at, key"  # noqa: S608
            found = [batch_of(row) for row in self.rows(query, word=word)]
            if found:
                return found
        return []

    def job_names(self, beginning: str, *, finished: bool) -> list[tuple[str, str]]:
        """Ids of jobs that begin with `beginning`, with their files: for completion in a shell."""
        state = "1" if finished else f"state NOT IN {SQL_FINAL}"
        query = "SELECT id, source FROM jobs WHERE family IS NULL AND substr(id, 1, length(:beginning)) = :beginning"
        rows = self.rows(f"{query} AND {state} ORDER BY claimed_at DESC LIMIT 100", beginning=beginning)
        return [(row["id"], row["source"]) for row in rows]

    # --- how -------------------------------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> list[sqlite3.Row]:
        return [] if self.connection is None else self.connection.execute(query, values).fetchall()

    def _jobs(self, where: str, **values: Any) -> list[JobSummary]:
        found = self.rows(_JOBS + where, **values)
        # One query for all jobs: there may be thousands.
        jobs = json.dumps([row["id"] for row in found])
        parts: dict[str, dict[str, sqlite3.Row]] = {}
        for row in self.rows(_PARTS, jobs=jobs):
            parts.setdefault(row["job"], {})[row["state"]] = row
        batches: dict[str, list[BatchSummary]] = {}
        for row in self.rows(_BATCHES_UNDER_WAY, jobs=jobs):
            batches.setdefault(row["job"], []).append(batch_of(row))
        costs = {row["job"]: row["cost"] for row in self.rows(_MONEY, jobs=jobs)}
        return [
            self._job(row, parts.get(row["id"], {}), batches.get(row["id"], []), costs.get(row["id"])) for row in found
        ]

    def _job(
        self, row: sqlite3.Row, parts: dict[str, sqlite3.Row], batches: Sequence[BatchSummary], cost: int | None
    ) -> JobSummary:
        job, state = row["id"], row["state"]
        ok, failed, empty = (_sum(parts, column) for column in ("ok", "failed", "empty"))
        if state in FINAL and not parts:
            # The parts are not kept any longer.
            last = self._last_word(job)
            ok, failed, empty = (last.get(name, 0) for name in ("ok", "failed", "skipped"))
        steps = self._jobs("WHERE family = :job ORDER BY accepted_at, id", job=job) if row["then"] is not None else []
        under_way = sum(batch.answered for batch in batches)
        under_way += parts["answered"]["requests"] if "answered" in parts else 0
        told = {
            "route": row["route_name"],
            "sinks": json.loads(row["sinks"]),
            "ok": ok,
            "failed": failed,
            "empty": empty,
            "answered": min(row["rows"] or 0, ok + failed + empty + under_way),
            "parts": {name: part["number"] for name, part in parts.items()},
            "tokens": _tokens(parts, steps),
            "cancelled": bool(row["cancelled"]),
            "cost": cost,
            "rest_until": _rest_until(parts),
            "batches": batches,
            "steps": steps if row["family"] is None else (),
        }
        return JobSummary(**_columns(row, JobSummary, but=told), **told)

    def _last_word(self, job: str) -> Mapping[str, Any]:
        """The data of the event that finished the job; empty if there is none."""
        rows = self.rows(_LAST_WORD, job=job)
        return json.loads(rows[0]["data"]) if rows else {}


@contextmanager
def snapshot(state: Path) -> Iterator[State]:
    """Look at the database in this state folder. All reads in the block are of one moment."""
    with connected(state) as connection:
        if connection is not None:
            connection.execute("BEGIN")
        yield State(connection)


def _sum(parts: dict[str, sqlite3.Row], column: str) -> int:
    return sum(part[column] for part in parts.values())


def _rest_until(parts: dict[str, sqlite3.Row]) -> float | None:
    """When the last of the waiting rows may be asked; None if none has to rest."""
    waiting = [parts[name]["rest_until"] for name in ("unplanned", "planned") if name in parts]
    return max((at for at in waiting if at is not None), default=None)


def _tokens(parts: dict[str, sqlite3.Row], steps: Sequence[JobSummary]) -> Tokens | None:
    """The tokens billed, in all steps of a chain; None once the parts are not kept any longer."""
    if not parts:
        return None
    own = Tokens(*(_sum(parts, column) for column in Tokens._fields))
    return Tokens(*map(sum, zip(own, *(step.tokens for step in steps if step.tokens), strict=True)))


def batch_of(row: sqlite3.Row) -> BatchSummary:
    """The batch of a row that has all columns of its table, and `ours`."""
    told = {
        "extra_remotes": json.loads(row["extra_remotes"]),
        "progress_at": _at(row["progress"]),
        "stopping_at": _at(row["stopping"]),
        "account": account_name(json.loads(row["fingerprint"])),
        "live_rate": json.loads(row["details"]).get(LIVE_RATE),
    }
    return BatchSummary(**_columns(row, BatchSummary, but=told), **told)


def _columns(row: sqlite3.Row, summary: type[JobSummary | BatchSummary], *, but: Collection[str]) -> dict[str, Any]:
    """The fields of a summary that are taken from columns unchanged."""
    return {name: row[name] for name in summary.__dataclass_fields__ if name not in but}


def _at(moment: str | None) -> float | None:
    return None if moment is None else json.loads(moment)["at"]
