"""The job of a file, by what the file was when it was taken."""

from __future__ import annotations

from .snapshot import State

CHANGED_WITHIN = 3_000_000_000
"""Nanoseconds by which the time of a file may differ from the one that was seen first: a share may round it."""

_OF_FILE = """
SELECT id FROM jobs
WHERE family IS NULL AND source = :place AND json_extract(stamp, '$[1]') = :size
  AND ABS(json_extract(stamp, '$[2]') - :changed) <= :within
ORDER BY ABS(json_extract(stamp, '$[2]') - :changed), claimed_at LIMIT 1
"""


def job_of_file(state: State, place: str, size: int, changed: int) -> str | None:
    """The job of the file that lay at this place of the inbox, of this size, and written at that time."""
    rows = state.rows(_OF_FILE, place=place, size=size, changed=changed, within=CHANGED_WITHIN)
    return str(rows[0]["id"]) if rows else None
