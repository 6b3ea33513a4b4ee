"""The settings of a sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_MODELS = ("sandbox-small", "sandbox-large", "gpt-4o-mini", "deepseek-v3.2")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")


def duration(text: str) -> float:
    """Seconds from `"500ms"`, `"2s"`, `"10m"`, `"6h"`, `"30d"` or a plain number of seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a duration: write it as "500ms", "2s", "10m", "6h" or "30d".')
    return float(match[1]) * _UNITS[match[2] or "s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The settings of one sandbox; durations are seconds."""

    folder: Path
    """The folder of the database and the files; a sandbox restarted on it continues."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 means a free port."""
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    """Empty: calls with any key are accepted, and calls without one."""
    accounts: bool = False
    """Each account knows its own files and batches only; see `calls.accounts`."""
    latency: float = 2.0
    """The time from create to completed."""
    instant: bool = False
    """No waiting, and answers in the order of the input."""
    max_requests: int = 50_000
    max_bytes: int = 209_715_200
    max_enqueued_tokens: int | None = None
    """Per model, over all batches that are not finished. None: no limit."""
    batches: bool = True
    """False plays a service that has live calls only."""
    idempotent: bool = False
    """A create call with the `Idempotency-Key` of an earlier one returns the batch of that call."""
    outputs_kept: float = 30 * 24 * 3600.0
    """How long output and error files are kept, unless a create call asks for less. After that they are gone."""
    calls_per_second: float | None = None
    """Live calls a second, in a bucket that holds one second of them; more are refused. None: no limit."""
    live_latency: float = 0.0
    """The time that a live call takes."""
    models: tuple[str, ...] = DEFAULT_MODELS
    any_model: bool = True
    """False refuses models that are not listed, as the real service does."""
    faults: tuple[str, ...] = ()
