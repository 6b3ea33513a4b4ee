"""Readers for tables that are not text: workbooks of Excel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_readers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the reader `xlsx`."""
    from .xlsx_reader import XlsxReader

    register("xlsx", XlsxReader)
