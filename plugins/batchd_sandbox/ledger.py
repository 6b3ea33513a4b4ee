"""The ledger, for tests: what was really created, executed and paid, whatever the answers said.

A request is executed, and billed, when a batch produced a 2xx answer for it. A line that a fault leaves out
(`line:missing`) is not executed; a line that a fault damages (`line:not-json`) is.
"""

from __future__ import annotations

import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from .batches.lifecycle import true_counts
from .records import BatchRecord
from .store import Store

_PASS = 500_000
"""The most custom_ids in memory at once; more are compared in several passes."""


def collect(store: Store, now: float) -> tuple[dict[str, Any], list[tuple[Path, int]]]:
    """The facts from the database; and for `distinct` the files of custom_ids and how many lines of each count."""
    batches, answered = [], []
    input_tokens = cached_tokens = output_tokens = 0
    for batch in reversed(store.batches(now=now)):
        executed = true_counts(batch, now).completed
        batches.append(_shown(batch, executed))
        if executed:
            answered.append((store.executed(batch.id), executed))
        if batch.outcome is not None and batch.finished and not batch.outcome.errors:
            input_tokens += batch.outcome.input_tokens
            cached_tokens += batch.outcome.cached_tokens
            output_tokens += batch.outcome.output_tokens
    calls = store.calls()
    uploads = [
        {name: getattr(file, name) for name in ("id", "filename", "bytes", "created_at")}
        | {"deleted": file.deleted_at is not None}
        for file in store.all_files()
        if file.purpose != "batch_output"
    ]
    return {
        "calls": calls,
        "create_calls": calls.get("create", 0),
        "upload_calls": calls.get("upload", 0),
        "batches": batches,
        "batches_to_come": store.batches_to_come(now),
        "uploads": uploads,
        "requests_executed": sum(number for _, number in answered),
        "tokens": {"input": input_tokens, "cached": cached_tokens, "output": output_tokens},
        "live": store.live(),
    }, answered


def distinct(answered: list[tuple[Path, int]]) -> dict[str, Any]:
    """How many different custom_ids were executed, and which ones more than once."""
    passes = sum(number for _, number in answered) // _PASS + 1
    different = 0
    twice: list[str] = []
    for current in range(passes):
        seen: set[bytes] = set()
        again: set[bytes] = set()
        for path, number in answered:
            with path.open("rb") as lines:
                for line in islice(lines, number):
                    if passes > 1 and zlib.crc32(line) % passes != current:
                        continue
                    (again if line in seen else seen).add(line)
        different += len(seen)
        twice += [msgspec.json.decode(line) for line in again]
    return {"distinct": different, "executed_twice": sorted(twice)}


def _shown(batch: BatchRecord, executed: int) -> dict[str, Any]:
    outcome = batch.outcome
    valid = None if outcome is None or outcome.errors else outcome
    return {
        "id": batch.id,
        "input_file_id": batch.input_file_id,
        "endpoint": batch.endpoint,
        "metadata": batch.metadata,
        "status": batch.status,
        "requests": outcome.total if outcome is not None else 0,
        "executed": executed,
        "failed": valid.failed if valid is not None else 0,
        "model": outcome.model if outcome is not None else None,
        "tokens": None
        if valid is None
        else {"input": valid.input_tokens, "cached": valid.cached_tokens, "output": valid.output_tokens},
        "created_at": batch.created_at,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "faults": [order.text for _, order in batch.faults],
    }
