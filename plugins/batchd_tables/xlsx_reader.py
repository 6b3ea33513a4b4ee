"""The reader `xlsx`: workbooks of Excel, as Excel, LibreOffice, Google and other programs write them.

It reads the XML itself, as it comes out of the archive: a full sheet (1,048,576 rows of five columns) takes some
2 MiB of memory, and the texts that a workbook keeps beside its rows at most 32 MiB.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from batchd import Archive, BadRow, Dialect, FileRefused, Json, Source

from .looks import Styles
from .other_files import require_archive
from .sheet_xml import SheetXml
from .sheets import SheetReader, SheetSettings, is_filled
from .texts import Texts, read_shared
from .xml_text import decoded, local, parsed

_SMALL_PART = 32 * 1024 * 1024
_SAVE = "Open the file in a spreadsheet program, save it as a new workbook, and drop that."


class XlsxReader(SheetReader):
    """Reads `.xlsx`, and `.xlsm` without its macros. Numbers, dates in ISO 8601, the results of formulas."""

    suffixes = (".xlsx", ".xlsm")

    def __init__(self, settings: SheetSettings) -> None:
        super().__init__(settings)
        self._look: Mapping[str, Json] = {}

    def dialect(self) -> Dialect:
        """The form, and how the sheet looks, for the sink `xlsx`."""
        return Dialect(form="xlsx", details=self._look)

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """Memory holds some rows at a time, and at most 32 MiB of shared texts."""
        with source.open() as file:
            require_archive(file, "a workbook")
            archive = Archive(file, self.settings.limits)
            workbook = _Workbook.of(archive)
            sheets = workbook.chosen(self.settings.sheet)
            with Texts(source.path.parent) as texts:
                if workbook.texts is not None:
                    read_shared(decoded(archive.chunks(workbook.texts)), texts)
                for sheet in sheets:
                    xml = SheetXml(texts.quick(), workbook.styles.formats, from_1904=workbook.from_1904)
                    rows = xml.rows(decoded(archive.chunks(sheet.place)))
                    first = next(filter(is_filled, rows), None)
                    if first is not None:
                        break
                if first is None:
                    sheet = sheets[0]
                others = [each.name for each in workbook.seen if each != sheet]
                records = self.records(rows if first is None else chain([first], rows), "xlsx", sheet.name, others)
                names = next(records)
                assert not isinstance(names, BadRow), "the names come first"
                yield names
                yield from records
                header = int(self.describe()["header_row"])
                self._look = xml.look.details(workbook.styles, header=header, width=len(names))


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    place: int
    hidden: bool


@dataclass(frozen=True, slots=True)
class _Workbook:
    """What a workbook says of itself: its sheets, where its texts are, what its styles mean."""

    sheets: Sequence[_Sheet]
    texts: int | None
    styles: Styles
    from_1904: bool

    @classmethod
    def of(cls, archive: Archive) -> _Workbook:
        main = next(iter(_related(archive, "")["officeDocument"].values()), "xl/workbook.xml")
        place = archive.find(main)
        if place is None and archive.find("content.xml") is not None:
            raise FileRefused(
                "binary",
                "This is an OpenDocument spreadsheet (ods), whatever its name. Give it a name that ends in .ods, and "
                "drop it again.",
            )
        if place is None:
            raise FileRefused("binary", f"This file has no workbook in it. {_SAVE}")
        if main.lower().endswith(".bin"):
            raise FileRefused("binary", f"This is a binary workbook (xlsb), which batchd cannot read. {_SAVE}")
        related = _related(archive, main)
        sheets = []
        from_1904 = False
        for element in parsed(archive.read(place, _SMALL_PART)):
            name = local(element.tag)
            if name == "workbookPr":
                from_1904 = element.get("date1904", "") in {"1", "true", "on"}
            elif name == "sheets":
                for sheet in element:
                    keys = {local(key): value for key, value in sheet.attrib.items()}
                    where = archive.find(related["worksheet"].get(keys.get("id", ""), ""))
                    if where is not None:  # a sheet that is only a chart has no rows
                        sheets.append(_Sheet(keys.get("name", ""), where, keys.get("state", "visible") != "visible"))
        texts, *others = (
            next(map(archive.find, related[kind].values()), None) for kind in ("sharedStrings", "styles", "theme")
        )
        styles, theme = (None if part is None else parsed(archive.read(part, _SMALL_PART)) for part in others)
        return cls(sheets, texts, Styles(styles, theme), from_1904)

    @property
    def seen(self) -> Sequence[_Sheet]:
        """The sheets that people see; all sheets if all are hidden."""
        return [sheet for sheet in self.sheets if not sheet.hidden] or self.sheets

    def chosen(self, name: str | None) -> Sequence[_Sheet]:
        """The sheet with this name; without a name, those that people see, of which the first with rows is read."""
        if name is None:
            if not self.sheets:
                raise FileRefused("no_sheet", f"This workbook has no sheet with rows. {_SAVE}")
            return self.seen
        found = [sheet for sheet in self.sheets if sheet.name.strip().casefold() == name.strip().casefold()]
        if not found:
            names = ", ".join(f"“{sheet.name}”" for sheet in self.sheets[:20])
            raise FileRefused(
                "no_sheet",
                f"This workbook has no sheet “{name}”, which batchd reads in this folder. Its sheets are: {names}. "
                "Rename the sheet that you mean, and drop the file again.\n"
                "For the operator: sheet in the table [routes.NAME.reader] says which one is read.",
            )
        return found[:1]


def _related(archive: Archive, part: str) -> Mapping[str, Mapping[str, str]]:
    """The names of the parts that belong to a part of the archive, by their kind and id."""
    folder, name = posixpath.split(part)
    place = archive.find(posixpath.join(folder, "_rels", f"{name}.rels"))
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    for element in parsed(archive.read(place, _SMALL_PART)) if place is not None else ():
        if element.get("TargetMode") == "External":
            continue  # never fetched
        target = element.get("Target", "").replace("\\", "/")
        whole = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        parts[element.get("Type", "").rpartition("/")[2]].setdefault(element.get("Id", ""), whole)
    return parts
