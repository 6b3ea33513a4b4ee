"""What the tests of batchd_tables share: workbooks of other programs, and those that no program would write."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchd import BadRow, FileRefused, Reader, Source
from batchd_tables.xlsx_reader import XlsxReader

TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = {
    "_rels/.rels": f'<Relationships><Relationship Id="r1" Type="{TYPES}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{TYPES}"><sheets><sheet name="Data" sheetId="1" r:id="r1"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="r1" Type="{TYPES}/worksheet" '
    f'Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{TYPES}/sharedStrings" Target="sharedStrings.xml"/>'
    f'<Relationship Id="r3" Type="{TYPES}/styles" Target="styles.xml"/></Relationships>',
}
HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c></row>'


def sheet(rows: str, before: str = "") -> str:
    """The XML of a sheet with these rows."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{before}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def hand_made(path: Path, rows: str = "", parts: Mapping[str, str | bytes | None] | None = None) -> Path:
    """A workbook with these rows after a header `id`, as nothing but the parts that it needs."""
    parts = {**PARTS, "xl/worksheets/sheet1.xml": sheet(HEADER + rows), **(parts or {})}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def read(path: Path, reader: Reader[Any] | None = None, **settings: Any) -> list[Any]:
    """All records of a file, the names of the columns first."""
    reader = reader or XlsxReader(XlsxReader.Settings(**settings))
    return [
        list(record) if not isinstance(record, BadRow) else record for record in reader.read(Source(path, path.name))
    ]


def refused(path: Path, reader: Reader[Any] | None = None, **settings: Any) -> tuple[str, str]:
    """The code and the words with which a file is refused."""
    try:
        records = read(path, reader, **settings)
    except FileRefused as refusal:
        return refusal.code, str(refusal)
    return "read", repr(records[:3])
