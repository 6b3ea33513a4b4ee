"""One thing that `batchd check` has looked at."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class CheckResult(Struct, frozen=True):
    """One thing that was checked. `config` says that the fix is in the configuration."""

    subject: str
    level: Literal["ok", "note", "wrong"]
    text: str
    config: bool = False


def ok(subject: str, text: str) -> CheckResult:
    return CheckResult(subject, "ok", text)


def note(subject: str, text: str) -> CheckResult:
    return CheckResult(subject, "note", text)


def wrong(subject: str, text: str, *, config: bool = False) -> CheckResult:
    return CheckResult(subject, "wrong", text, config)
