"""The reader `ods`: spreadsheets of LibreOffice, row by row as they come out of the archive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from xml.etree.ElementTree import Element

from batchd import Archive, BadRow, Dialect, FileRefused, Json, Source, UnpackLimits

from .ods_shapes import MAX_SHAPES, OdsShape, duration, shape_of
from .other_files import require_archive
from .sheet_xml import number_of
from .sheets import MAX_COLUMNS, SheetReader, SheetRow, column_letters, is_filled, no_result
from .texts import cell_text
from .xml_text import broken, decoded, fragment, local, namespaces, opening, pieces

_ROW, _END, _STOP = re.compile(r"<table:table-row[\s/>]"), "</table:table-row>", "</office:spreadsheet>"
_TABLE = re.compile(r"<table:table\s[^>]*>")
_NAME = re.compile(r'\stable:name="([^"]*)"')
_STYLE = re.compile(r'\stable:style-name="([^"]*)"')
_HIDDEN = re.compile(r'<style:style style:name="([^"]*)"[^>]*>\s*<style:table-properties[^>]*table:display="false"')
_MAX_ROWS = 1_048_576
_HEAD = 8_000_000


class OdsReader(SheetReader):
    """Reads `.ods`. Cells become the same values as in Excel's workbooks."""

    suffixes = (".ods",)

    def dialect(self) -> Dialect:
        return Dialect(form="ods")

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """Memory holds some rows at a time."""
        with source.open() as file:
            require_archive(file, "a spreadsheet")
            archive = Archive(file, self.settings.limits)
            manifest, content = archive.find("META-INF/manifest.xml"), archive.find("content.xml")
            if manifest is not None and b"encryption-data" in archive.read(manifest, 1 << 24):
                raise FileRefused(
                    "encrypted", "This spreadsheet is protected by a password. Save it without one and drop it again."
                )
            if archive.find("xl/workbook.xml") is not None:
                raise FileRefused(
                    "binary",
                    "This is an Excel workbook (xlsx), whatever its name. Give it a name that ends in .xlsx, and drop "
                    "it again.",
                )
            if content is None:
                raise FileRefused("binary", "This file has no spreadsheet in it. Save it as xlsx or ods and drop that.")
            sheet = OdsSheet(self.settings.sheet, self.settings.limits, archive.members[content].packed)
            rows = sheet.rows(decoded(archive.chunks(content)))
            first = next(rows, None)
            if first is None and not sheet.found and self.settings.sheet is None:
                raise FileRefused(
                    "empty", "This spreadsheet has no sheet with rows. Save the table as a new file and drop that."
                )
            if first is None and self.settings.sheet is not None:
                names = ", ".join(f"“{name}”" for name in sheet.names[:20])
                raise FileRefused(
                    "no_sheet",
                    f"This spreadsheet has no sheet with rows that is called “{self.settings.sheet}”. Its sheets "
                    f"are: {names}. Rename the sheet that you mean, and drop the file again.\n"
                    "For the operator: sheet in the table [routes.NAME.reader] says which one is read.",
                )
            yield from self.records(rows if first is None else chain([first], rows), "ods", sheet.found)


class OdsSheet:
    """Reads one sheet of a document: the one called `wanted`, else the first that is not hidden and has rows."""

    def __init__(self, wanted: str | None, limits: UnpackLimits, packed: int) -> None:
        self._wanted = None if wanted is None else wanted.strip().casefold()
        self._limits = limits
        self._packed = packed
        self._repeated = 0
        self.found = ""
        self.names: list[str] = []

    def rows(self, chunks: Iterable[str]) -> Iterator[SheetRow]:
        """The rows that have cells, with their numbers."""
        body, rest = opening(chunks, r"<office:spreadsheet\b[^>]*>", _HEAD)
        root = re.search(r"<office:document-content\b[^>]*>", body.string) if body is not None else None
        if body is None or root is None or body[0].endswith("/>"):
            raise broken("has no spreadsheet in it")
        spaces, hidden = namespaces(root[0]), set(_HIDDEN.findall(body.string))
        inside, filled, number = False, False, 0
        shapes: list[OdsShape] = []
        for piece in pieces(rest, _END, _STOP):
            at, odd = 0, "<!" in piece
            while at <= len(piece):
                for place, shape in enumerate(shapes if inside and not odd else ()):
                    usual, at = shape.rows(piece, at, _MAX_ROWS - number)
                    for cells in usual:
                        number += 1
                        yield SheetRow(number, cells)
                    if usual:
                        filled = True
                        shapes.insert(0, shapes.pop(place))
                        break
                stop = piece.find(_END, at)
                text = piece[at:stop] if stop >= 0 else piece[at:]
                at = stop + len(_END) if stop >= 0 else len(piece) + 1
                starts = [match.start() for match in _ROW.finditer(text)]
                start = starts[-1] if starts else len(text)
                for tag in _TABLE.findall(text, 0, start):
                    if inside and (filled or self._wanted is not None):
                        return
                    inside, number = self._begins(tag, hidden), 0
                if not inside or not starts:
                    continue
                if len(shapes) < MAX_SHAPES and (new := shape_of(text[start:])) is not None:
                    shapes.append(new)
                row = fragment(f"<root{spaces}>{text[start:]}{_END}</root>")[0]
                times = _repeated(row, "number-rows-repeated")
                read = self._row(row, number + 1)
                if read.cells or read.failure is not None:
                    filled = filled or is_filled(read)
                    if number + times > _MAX_ROWS:
                        raise FileRefused(
                            "rows",
                            f"The sheet has more than {_MAX_ROWS:,} rows. Split the table into several files and drop "
                            "those.",
                        )
                    self._repeated += (times - 1) * sum(len(str(cell)) + 8 for cell in read.cells)
                    self._limits.check(self._repeated, self._packed)
                    for each in range(times):
                        yield SheetRow(number + each + 1, list(read.cells), read.failure)
                number += times

    def _begins(self, tag: str, hidden: set[str]) -> bool:
        """Whether the sheet that begins with this tag is the one to read."""
        name, style = _NAME.search(tag), _STYLE.search(tag)
        self.names.append(cell_text(name[1]) if name else "")
        if self._wanted is None:
            wanted = style is None or style[1] not in hidden
        else:
            wanted = self.names[-1].strip().casefold() == self._wanted
        if wanted:
            self.found = self.names[-1]
        return wanted

    def _row(self, element: Element, number: int) -> SheetRow:
        cells: list[Json] = []
        row = SheetRow(number, cells)
        place = 0
        for cell in element:
            name = local(cell.tag)
            if name not in {"table-cell", "covered-table-cell"}:
                continue
            times = _repeated(cell, "number-columns-repeated")
            value = _value(cell, row, place) if name == "table-cell" else None
            if value is not None and value != "":
                if place + times > MAX_COLUMNS:
                    raise FileRefused(
                        "columns",
                        f"Row {number:,} has more than {MAX_COLUMNS:,} cells. Save the table as a new file "
                        "and drop that.",
                    )
                cells.extend([None] * (place - len(cells)))
                cells.extend([value] * times)
            place += times
        return row


def _attributes(element: Element) -> dict[str, str]:
    return {local(key): value for key, value in element.attrib.items()}


def _repeated(element: Element, key: str) -> int:
    written = _attributes(element).get(key, "1")
    return max(1, int(written)) if written.isdecimal() and len(written) < 10 else 1


def _value(cell: Element, row: SheetRow, place: int) -> Json:
    keys = _attributes(cell)
    kind = keys.get("value-type")
    shown = "\n".join(_text(child) for child in cell if local(child.tag) == "p")
    if kind in {"float", "percentage", "currency"}:
        number = number_of(keys.get("value", ""))
        # An id that is shown with zeros in front.
        return shown if shown.startswith("0") and shown.isdecimal() and len(shown) > 1 else number
    if kind == "date":
        return keys.get("date-value", shown)
    if kind == "time":
        return duration(keys.get("time-value", "")) or shown
    if kind == "boolean":
        return keys.get("boolean-value") == "true"
    if kind is None and "formula" in keys and not shown:
        row.failure = row.failure or no_result(column_letters(place + 1), row.number)
        return None
    return keys.get("string-value") or shown or None


def _text(element: Element) -> str:
    """The text of a paragraph, with the spaces, tabs and line breaks that are elements in it."""
    parts = [element.text or ""]
    for child in element:
        name = local(child.tag)
        if name == "s":
            written = _attributes(child).get("c", "1")
            parts.append(" " * (int(written) if written.isdecimal() and len(written) < 5 else 1))
        elif name == "tab":
            parts.append("\t")
        elif name == "line-break":
            parts.append("\n")
        elif name not in {"annotation", "note"}:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
