"""How much room a disk has left."""

from __future__ import annotations

import os
from pathlib import Path

MIN_FREE = 1 << 18
"""Bytes: with less than this a change of the database may find no room."""


def is_full(state: Path) -> bool:
    """Whether the disk of the state folder has no room left."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < MIN_FREE
