"""Says what a dropped file is if it has the name of a workbook but is none."""

from __future__ import annotations

from typing import IO

from batchd import FileRefused

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOOKED_AT = 8 * 1024 * 1024
_PROTECTED = "EncryptedPackage".encode("utf-16-le")


def require_archive(file: IO[bytes], kind: str) -> None:
    """Raise FileRefused, which says what the file is, unless it is a zip archive, as workbooks of today are."""
    head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return
    if not head:
        raise FileRefused("empty", "The file is completely empty. Save the table again and drop that.")
    if head.startswith(_OLE):
        if _PROTECTED in head + file.read(_LOOKED_AT):
            raise FileRefused(
                "encrypted",
                "This workbook is protected by a password, so batchd cannot read it. Remove the password (in Excel: "
                "File, Info, Protect Workbook, Encrypt with Password), save it and drop it again.",
            )
        raise FileRefused(
            "binary",
            "This is a workbook in Excel's format of before 2007 (xls), whatever its name. Open it, save it as an "
            "Excel workbook (xlsx), and drop that.",
        )
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<html", b"<!doctype", b"<table", b"<meta", b"<?xml", b"<head")):
        what = "a web page or an XML file"
    elif b"\x00" in head:
        what = "a file of another kind"
    else:
        what = "a text file, perhaps CSV, which should have a name that ends in .csv"
    raise FileRefused(
        "binary",
        f"This is {what}, and not {kind}, as its name says. Open it in a spreadsheet program, save it as a workbook "
        "(xlsx), and drop that.",
    )
