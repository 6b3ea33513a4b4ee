"""One thing that `batchd check` has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a result is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was checked. `config` says that the fix is in the configuration."""

    subject: str
    level: Level
    text: str
    config: bool = False
