"""The free space of a disk."""

from __future__ import annotations

import os
from pathlib import Path

MIN_FREE = 1 << 18
"""Bytes: with less free space than this a write to the database may fail."""


def is_full(state: Path) -> bool:
    """Whether the disk of the state folder is full."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < MIN_FREE
