"""What a full disk keeps the daemon from writing down: that it is full."""

from __future__ import annotations

from pathlib import Path

from ..domain.subjects import DISK
from ..system.disk import is_full
from .records import Condition


def no_room(state: Path) -> list[Condition]:
    """The condition that the disk of the state folder is full, if it is. Seen here, since it cannot be stored there."""
    if not is_full(state):
        return []
    text = f"No room is left on the disk of {state}, so nothing can be noted there. Make room; then batchd goes on."
    return [Condition(DISK, text, None)]
