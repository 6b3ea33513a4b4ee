"""Readers and sinks for CSV and JSON Lines files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_readers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the readers `csv` and `jsonl`."""
    from .csv_reader import CsvReader
    from .jsonl_reader import JsonlReader

    register("csv", CsvReader)
    register("jsonl", JsonlReader)


@hookimpl
def register_sinks(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the sinks `csv` and `jsonl`."""
    from .csv_sink import CsvSink
    from .jsonl_sink import JsonlSink

    register("csv", CsvSink)
    register("jsonl", JsonlSink)
