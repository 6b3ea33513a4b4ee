"""Whether a daemon works on a state folder, and leaving it an order."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StateUnusable
from ..store.layout import LOCK
from ..store.reading.opening import connected

ASK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that has the state folder; `process` is None if it does not say which."""

    process: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order: a sentence, and whether it was refused."""

    text: str
    refused: bool


def running(state: Path) -> Running | None:
    """The daemon that works on `state`, None if there is none."""
    try:
        descriptor = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateUnusable(f"{state / LOCK} cannot be opened: {error.strerror}.") from None
    try:
        # Shared and given back at once: a daemon that starts in this very moment would find it taken.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        said = os.pread(descriptor, 100, 0).strip()
        return Running(int(said) if said.isdigit() else None)
    finally:
        os.close(descriptor)
    return None


def leave_order(state: Path, kind: str, target: str, data: Mapping[str, Any], *, at: float) -> int:
    """Write an order for the daemon; its number. It is carried out once, now or at the next start."""
    with connected(state, mode="rw") as connection:
        if connection is None:
            raise StateUnusable(f"There is no database in {state} yet, so there is nothing to order.")
        cursor = connection.execute(
            "INSERT INTO orders (at, kind, target, data) VALUES (?, ?, ?, ?)",
            (at, kind, target, json.dumps(dict(data), ensure_ascii=False)),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid


def answer_to(state: Path, order: int, *, within: float) -> Answer | None:
    """What the daemon says of an order, None if it has not said anything within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        with connected(state) as connection:
            assert connection is not None
            row = connection.execute("SELECT answer, refused FROM orders WHERE id = ?", (order,)).fetchone()
        if row is not None and row["answer"] is not None:
            return Answer(str(row["answer"]), bool(row["refused"]))
        if time.monotonic() >= deadline:
            return None
        time.sleep(ASK_EVERY)
