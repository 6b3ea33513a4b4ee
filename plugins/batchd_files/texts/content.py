"""Recognises dropped files that are not text, such as a workbook, a picture or an archive, whatever their name."""

from __future__ import annotations

import codecs
import os
import re
from typing import IO

from batchd import FileRefused

HEAD = 4096
"""How many bytes at the beginning of a file are examined."""
_TAIL = 65_536

_SAVE_AS_CSV = "Open it in a spreadsheet program, save it as CSV (in Excel: Save As, “CSV UTF-8”) and drop that file."
_RENAME = "Give it a name that ends in {}, and drop it again."
_UNPACK = "Unpack it and drop the file that is inside."
_OTHER = "Drop a table saved as CSV UTF-8, or a JSON Lines file."

# Each: how the file begins, what it is, what to do about it.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or a protected Excel workbook (xls)", _SAVE_AS_CSV),
    (b"PAR1", "a Parquet file", _RENAME.format(".parquet")),
    (b"SQLite format 3\x00", "an SQLite database", "Export the table as CSV UTF-8 and drop that file."),
    (b"%PDF-", "a PDF document", _OTHER),
    (b"{\\rtf", "a word processor's document (RTF)", _OTHER),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", _OTHER),
    (b"\xff\xd8\xff", "a picture (JPEG)", _OTHER),
    (b"GIF8", "a picture (GIF)", _OTHER),
    (b"\x1f\x8b", "a compressed file (gzip)", _RENAME.format(".csv.gz")),
    (b"BZh", "a compressed file (bzip2)", _UNPACK),
    (b"\xfd7zXZ\x00", "a compressed file (xz)", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a compressed file (zstd)", _RENAME.format(".csv.zst")),
    (b"7z\xbc\xaf\x27\x1c", "a compressed archive (7z)", _UNPACK),
    (b"Rar!\x1a\x07", "a compressed archive (RAR)", _UNPACK),
    (b"\x7fELF", "a program", _OTHER),
    (b"MZ\x90\x00", "a program", _OTHER),
)
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|table|meta)\b[^<]*>", re.IGNORECASE
)
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"[^"\\\r\n]*"\s*:')
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def refuse_other_kinds(file: IO[bytes]) -> bytes:
    """The first bytes of a file. Raises `FileRefused` if they belong to a known format that is not text."""
    head = file.read(HEAD)
    if head.startswith(_ZIP):
        what, advice = _inside_zip(file, head)
        raise _refusal(what, advice)
    for signature, what, advice in _SIGNATURES:
        if head.startswith(signature):
            raise _refusal(what, advice)
    if _PAGE.match(head):
        raise _refusal("a web page (HTML), as some programs write in place of a workbook", _SAVE_AS_CSV)
    return head


def refuse_json(head: bytes) -> None:
    """Raise `FileRefused` if a file with the name of a table begins with a JSON object."""
    if _JSON.match(head):
        raise FileRefused(
            "json", "This is JSON, whatever its name. Give it a name that ends in .json, and drop it again."
        )


def begin_json(file: IO[bytes], what: str) -> None:
    """Seek to where the text begins. Raise `FileRefused` if the file is no text, or is UTF-16."""
    head = refuse_other_kinds(file)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or head[:2].count(0) == 1:
        raise FileRefused("encoding", f"The file is UTF-16 text, but {what} UTF-8. Save it as UTF-8 and drop it again.")
    file.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)


def begins_otherwise(head: bytes) -> bool:
    """Whether a file that begins with these bytes would be taken for one of another kind."""
    return (
        head.startswith(_ZIP)
        or head[:1] == b"<"
        or _JSON.match(head) is not None
        or any(head.startswith(signature) for signature, _, _ in _SIGNATURES)
    )


def _refusal(what: str, advice: str) -> FileRefused:
    return FileRefused("binary", f"This is {what}, not a text file. {advice}")


def _inside_zip(file: IO[bytes], head: bytes) -> tuple[str, str]:
    # The names are in the directory at the end of the archive, so nothing has to be unpacked.
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    names = head + file.read(_TAIL)
    if b"xl/workbook" in names:
        return "an Excel workbook (xlsx)", _RENAME.format(".xlsx")
    if b"opendocument.spreadsheet" in names:
        return "a LibreOffice spreadsheet (ods)", _RENAME.format(".ods")
    if b"word/document" in names:
        return "a Word document (docx)", _OTHER
    return "a compressed archive (zip)", _UNPACK
