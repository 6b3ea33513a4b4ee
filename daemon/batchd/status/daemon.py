"""Whether a daemon works on a state folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from msgspec import Struct

from ..errors import StateUnusable
from ..store.layout import LOCK


class Running(Struct, frozen=True):
    """A daemon that has the state folder; `process` is None if the lock file does not name it."""

    process: int | None


def running(state: Path) -> Running | None:
    """The daemon that works on `state`, None if there is none."""
    try:
        descriptor = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateUnusable(f"{state / LOCK} cannot be opened: {error.strerror}.") from None
    try:
        # A shared lock, released at once, since a daemon that starts at this moment would find it taken.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        said = os.pread(descriptor, 100, 0).strip()
        return Running(int(said) if said.isdigit() else None)
    finally:
        os.close(descriptor)
    return None
