"""The outcomes of tries: jobs of some rows of a file, whose answers stay in the state folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...domain.subjects import Subject
from ..tables.sums import with_money
from .snapshot import snapshot

_TRIES = with_money(
    """
SELECT jobs.id, jobs.state, jobs.reason, jobs.reason_code, json_extract(jobs.route, '$.provider') AS provider,
       parts.results, parts.ok, parts.failed, parts.reused, parts.usage, parts.wasted, parts.saved,
       (SELECT lane FROM spending WHERE job = jobs.id LIMIT 1) AS lane,
       (SELECT CASE WHEN COUNT(cost) = COUNT(*) THEN MONEY(cost) END FROM spending WHERE job = jobs.id) AS cost
FROM jobs LEFT JOIN parts ON parts.job = jobs.id WHERE jobs.id IN (SELECT value FROM json_each(:jobs))
"""
)
_CONDITIONS = "SELECT subject, text FROM conditions WHERE since >= :since"
_ENDED = ("done", "cancelled")


class TryRecord(Struct, frozen=True):
    """One try. `results` is the version of its results file, 0 if there is none; `cost` is None if it is not known.

    `output_tokens` are those of its `ok` answers, also where they were paid for by an earlier try (`reused`).
    """

    job: str
    state: str
    reason: str | None
    reason_code: str | None
    provider: str
    results: int
    ok: int
    failed: int
    reused: int
    output_tokens: int
    lane: str | None
    cost: int | None

    @property
    def over(self) -> bool:
        """Whether the try has ended."""
        return self.state in _ENDED


def tries(state: Path, jobs: Sequence[str]) -> Mapping[str, TryRecord]:
    """What is known of these tries, by job. Raise StateUnusable, in words, if the database cannot be read."""
    with snapshot(state) as look:
        rows = look.rows(_TRIES, jobs=json.dumps(list(jobs)))
    found = {}
    for row in rows:
        usage, wasted, saved = (json.loads(row[name] or "[0,0,0]") for name in ("usage", "wasted", "saved"))
        known: dict[str, Any] = {name: row[name] or 0 for name in ("results", "ok", "failed", "reused")}
        known |= {name: row[name] for name in ("state", "reason", "reason_code", "provider", "lane", "cost")}
        output = max(0, usage[2] - wasted[2]) + saved[2]
        found[row["id"]] = TryRecord(job=row["id"], output_tokens=output, **known)
    return found


def troubles(state: Path, jobs: Mapping[str, str], *, since: float) -> Mapping[str, str]:
    """Return a sentence for each job that something keeps from being asked. `jobs` names each one's provider.

    Conditions from before `since` (seconds since 1970) are of an earlier daemon, and may be over.
    """
    with snapshot(state) as look:
        texts = {row["subject"]: row["text"] for row in look.rows(_CONDITIONS, since=since)}
    subjects = {job: (Subject.job(job), Subject.provider(provider)) for job, provider in jobs.items()}
    return {job: texts[str(subject)] for job, both in subjects.items() for subject in both if str(subject) in texts}
