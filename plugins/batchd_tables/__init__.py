"""Readers and sinks for tables that are not text: workbooks, spreadsheets, Parquet."""

from __future__ import annotations

from batchd import Register, hookimpl


@hookimpl
def register_readers(register: Register) -> None:
    """Offer the readers `ods`, `parquet` and `xlsx`."""
    from .ods_reader import OdsReader
    from .parquet_reader import ParquetReader
    from .xlsx_reader import XlsxReader

    register("ods", OdsReader)
    register("parquet", ParquetReader)
    register("xlsx", XlsxReader)


@hookimpl
def register_sinks(register: Register) -> None:
    """Offer the sinks `parquet` and `xlsx`."""
    from .parquet_sink import ParquetSink
    from .xlsx_sink import XlsxSink

    register("parquet", ParquetSink)
    register("xlsx", XlsxSink)
