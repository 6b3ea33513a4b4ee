"""What a full disk keeps the daemon from writing down: that it is full."""

from __future__ import annotations

import os
from pathlib import Path

from .records import Condition

DISK = "disk"
"""The subject of the condition."""
LEAST = 1 << 18
"""Bytes: with less than this a change of the database may find no room."""


def is_full(state: Path) -> bool:
    """Whether the disk of the state folder has no room left."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < LEAST


def no_room(state: Path) -> list[Condition]:
    """The condition that the disk of the state folder is full, if it is. Seen here, since it cannot be stored there."""
    if not is_full(state):
        return []
    text = f"No room is left on the disk of {state}, so nothing can be noted there. Make room; then batchd goes on."
    return [Condition(DISK, text, None)]
