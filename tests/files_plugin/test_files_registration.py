"""What batchd_files offers, and that it imports little for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

import batchd_files
from batchd_files.delimited.csv_reader import CsvReader
from batchd_files.delimited.csv_sink import CsvSink
from batchd_files.objects.json_reader import JsonReader
from batchd_files.objects.jsonl_reader import JsonlReader
from batchd_files.objects.jsonl_sink import JsonlSink
from batchd_files.same_sink import SameSink
from batchd_files.texts.text_reader import TextReader


def test_offers_csv_and_jsonl_both_ways():
    readers: dict[str, object] = {}
    sinks: dict[str, object] = {}
    batchd_files.register_readers(register=readers.__setitem__)
    batchd_files.register_sinks(register=sinks.__setitem__)
    assert readers == {"csv": CsvReader, "json": JsonReader, "jsonl": JsonlReader, "text": TextReader}
    assert sinks == {"same": SameSink, "csv": CsvSink, "jsonl": JsonlSink}
    assert CsvReader.suffixes + JsonlReader.suffixes == (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")


def test_importing_it_imports_nothing_costly():
    costly = "{'pydantic', 'msgspec', 'chardet', 'batchd_files.delimited.csv_reader'}"
    code = f"import batchd_files, sys; print(*sorted({costly} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.slow
def test_the_detector_is_imported_only_for_files_that_need_it():
    code = "import sys, batchd_files.delimited.csv_reader, batchd_files.objects.jsonl_reader; print('chardet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
