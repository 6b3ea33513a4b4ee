"""Readers for CSV, JSON, JSON Lines and plain text; sinks for CSV and JSON Lines."""

from __future__ import annotations

from batchd import Register, hookimpl


@hookimpl
def register_readers(register: Register) -> None:
    """Offer the readers `csv`, `json`, `jsonl` and `text`."""
    from .delimited.csv_reader import CsvReader
    from .objects.json_reader import JsonReader
    from .objects.jsonl_reader import JsonlReader
    from .texts.text_reader import TextReader

    register("csv", CsvReader)
    register("json", JsonReader)
    register("jsonl", JsonlReader)
    register("text", TextReader)


@hookimpl
def register_sinks(register: Register) -> None:
    """Offer the sinks `same`, `csv` and `jsonl`."""
    from .delimited.csv_sink import CsvSink
    from .objects.jsonl_sink import JsonlSink
    from .same_sink import SameSink

    register("same", SameSink)
    register("csv", CsvSink)
    register("jsonl", JsonlSink)
