"""Spreadsheets under the name of another kind, and one without a sheet: what to do is said."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from workbooks import refused

from batchd_tables.ods_reader import OdsReader
from batchd_tables.xlsx_reader import XlsxReader

pytestmark = pytest.mark.field("files")

SPACES = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
BODY = f"<office:document-content {SPACES}><office:body><office:spreadsheet></office:spreadsheet></office:body></office:document-content>"


def test_spreadsheets_under_another_name(tmp_path: Path) -> None:
    excel = io.BytesIO()
    with xlsxwriter.Workbook(excel, {"in_memory": True}) as book:
        book.add_worksheet().write_row(0, 0, ["id", "review"])
    (tmp_path / "may.ods").write_bytes(excel.getvalue())
    with zipfile.ZipFile(tmp_path / "may.xlsx", "w") as archive:
        archive.writestr("content.xml", BODY)
    (tmp_path / "none.ods").write_bytes((tmp_path / "may.xlsx").read_bytes())
    ods, xlsx = OdsReader(OdsReader.Settings()), XlsxReader(XlsxReader.Settings())
    for reader, name, sentence in (
        (ods, "may.ods", "Give it a name that ends in .xlsx"),
        (xlsx, "may.xlsx", "Give it a name that ends in .ods"),
        (ods, "none.ods", "no sheet with rows. Save"),
    ):
        assert sentence in str(refused(tmp_path / name, reader)), name
