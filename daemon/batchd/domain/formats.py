"""The formats of dropped files, by how their names end, and which of them a route takes."""

from __future__ import annotations

import posixpath
from collections.abc import Collection

PACKED = {".gz": "gzip", ".zst": "zstd"}
"""The endings of compressed files, each with its compression."""
ARCHIVE = ".zip"
"""The ending of archives with several files. A route takes them only if it names this ending."""


def suffix_of(name: str) -> str:
    """The last ending of a name, in lower case, with the dot.

    >>> suffix_of("reviews/May.CSV"), suffix_of("may.csv.gz"), suffix_of("may")
    ('.csv', '.gz', '')
    """
    return posixpath.splitext(name)[1].lower()


def without_packing(name: str) -> str:
    """Return the name of the file inside a compressed file.

    >>> without_packing("may.csv.gz"), without_packing("may.csv"), without_packing("may.zip")
    ('may.csv', 'may.csv', 'may.zip')
    """
    stem, suffix = posixpath.splitext(name)
    return stem if suffix.lower() in PACKED else name


def takes(suffix: str, formats: Collection[str] | None, *, asked_for: bool) -> bool:
    """Whether a route takes files with this ending. `formats` are the endings that it names, if any.

    With `asked_for`, it takes them only if it names them: a note is a text file too, and would be paid for.

    >>> takes(".csv", None, asked_for=False), takes(".txt", None, asked_for=True), takes(".md", ["md"], asked_for=True)
    (True, False, True)
    """
    if formats is None:
        return not asked_for
    named = {each.lower().lstrip(".") for each in formats}
    if named <= {"zip", "gz", "zst"} and not asked_for:
        return True  # these say how files are packed, not what is in them
    return suffix.lstrip(".") in named


_AS_TABLE = "If it is a table, save it as CSV or as a workbook (xlsx) and drop that."


def not_taken(suffix: str, formats: Collection[str] | None) -> str:
    """Return the message that a route does not take files with this ending."""
    kinds = ", ".join("." + each.lower().lstrip(".") for each in formats or ())
    taken = f"In this folder, batchd takes {f'only files that end in {kinds}' if kinds else 'tables'}"
    named = suffix.lstrip(".")
    instead = "Unpack it, and drop the tables that are in it." if named == "zip" else _AS_TABLE
    return (
        f"{taken}, not files that end in {suffix}, so that nobody pays for a file that lies here by mistake. "
        f"{instead}\nFor the operator: formats in the table [routes.NAME] names what is taken, such as formats = "
        f'["csv", "{named}"].'
    )
