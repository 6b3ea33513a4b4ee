"""The job of a file, by what the file was when it was taken."""

from __future__ import annotations

from .snapshot import State

# Exactly: an earlier file of the same name and size may have come a second before.
_OF_FILE = """
SELECT id FROM jobs
WHERE family IS NULL AND source = :place AND json_extract(stamp, '$[1]') = :size
  AND json_extract(stamp, '$[2]') = :changed
ORDER BY claimed_at DESC LIMIT 1
"""


def job_of_file(state: State, place: str, size: int, changed: int) -> str | None:
    """The job of the file that lay at this place of the inbox, of this size, and written at that time."""
    rows = state.rows(_OF_FILE, place=place, size=size, changed=changed)
    return str(rows[0]["id"]) if rows else None
