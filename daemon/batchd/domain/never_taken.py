"""Names that are never taken out of the inbox: other programs made them, or are still writing under them.

All lists are here, in lower case. A name counts anywhere in the path: files inside a folder with such a name are not
taken either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from unicodedata import normalize

from .routing import matches

STARTS = (".", "~$", "~syncthing~", "~wrl", "~wrd", "_gsdata_")
"""Hidden names, under which nearly all programs write; locks and drafts of Office; GoodSync."""

ENDS = (
    "~", ".tmp", ".temp", ".swp", ".swx", ".swo", ".lock", ".lck",
    # Browsers.
    ".part", ".partial", ".crdownload", ".download", ".opdownload", ".downloading", ".ucdownload",
    # Download and transfer programs.
    ".filepart", ".aria2", ".!ut", ".!qb", ".!bt", ".!sync", ".bc!", ".az!", ".td", ".xltd", ".fdmdownload",
    ".cyberducksegment", ".lftp-pget-status", ".inprogress", ".incomplete", ".uploading", ".upload", ".writing",
    ".copying", ".unfinished", ".pending", ".dtapart", ".jc!", ".ob!", ".crswap", ".smmdownload", "_.gstmp", ".ffs_tmp",
    # Files whose content a sync program has not fetched yet.
    ".icloud", ".nextcloud", ".owncloud", ".ocdownload", ".rsls",
)  # fmt: skip

NAMES = frozenset({
    # Files that systems put into folders.
    "desktop.ini", "thumbs.db", "ehthumbs.db", "icon\r", "__macosx", "lost+found",
    # Recycle bins.
    "#recycle", "@recycle", "$recycle.bin", "recycler", "recycled", "recycle bin", "network recycle bin", "trashbox",
    # Snapshots, indexes and working folders of storage systems.
    "#snapshot", "~snapshot", "@recently-snapshot", "@sharesnap", "@eadir", "@tmp", "system volume information",
    "dfsrprivate", "network trash folder", "temporary items",
})  # fmt: skip

_SHAPES = re.compile(
    r"@gmt-\d{4}\.\d\d\.\d\d-\d\d\.\d\d\.\d\d"  # a snapshot, as Windows and Samba name it
    r"|network recycle bin \d+|_nas_recycle_.*|recycle bin - .*|found\.\d{3}"
    r"|#.*#"  # Emacs
    r"|.*\.~[0-9a-f]+"  # ownCloud, Nextcloud
    r"|.*\.sb-[0-9a-f]{8}-\w{6}|\(a document being saved by .*\)"  # macOS
    r"|unconfirmed \d+"
)
# Excel saves under a name of eight hexadecimal digits, then renames the file; the command line of S3 downloads under
# a suffix of eight. Eight digits without a letter are a date.
_EXCEL = re.compile(r"(?=[0-9]*[A-F])[0-9A-F]{8}")
_S3 = re.compile(r".+\.(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{8}")

_CONFLICT = re.compile(
    r"conflicted copy|conflicting copy|in konflikt stehende kopie|konfliktkopie|copie en conflit|copia en conflicto"
    r"|copia in conflitto|conflicterende kopie|c[oó]pia em conflito|konfliktkopi[ae]?\b|конфликтующая копия"
    r"|bản sao xung đột|冲突副本|衝突複本|競合コピー|충돌된 복사본"
    r"|\((?:unicode encoding|selective sync|whitespace|case) conflict(?: \d+)?\)"
    r"|(?:\(|_)conflict-\d{8}-\d{6}|\.sync-conflict-"
    r"|\[conflict(?:ed)?(?:[ \d][^\]]*)?\]|\(sfconflict .*\)|\.conflict(?:\.|$)"
    r"|_[a-z]{3}-\d\d-\d{6}-\d{4}_(?:case)?conflict\b"
)
# OneDrive puts the computer's name there. Names that Windows makes up have a digit and no lower-case letter.
_COMPUTER = re.compile(r"-(?:DESKTOP|LAPTOP)-(?=[A-Z]*\d)[A-Z0-9]{7,8}(?:-\d+)?(?:\.|$)")
_OWN = re.compile(r".*\.(?:(?:waiting|why|held)\.txt|report\.\w+)|question\.md")
_REMEMBERED = 20_000
"""How many names are cached with their result: every look at the inbox asks about every name in it."""
QUESTION = "question.md"
"""The name of the file with the question about a folder's files; it is not data."""
OWN = (
    "This has a name that batchd gives to its own notes and reports, so it is not processed. If it is a table of "
    "yours, give it another name."
)
CONFLICT = (
    "This is a copy that a sync program made, because two people changed the file at once, so batchd does not process "
    "it. If it is the one that you want, give it a name of its own."
)


def is_never_taken(relative_path: str, ignore: Iterable[str] = ()) -> bool:
    """True if the file or a folder of the path has such a name, or the path matches a pattern of `ignore`.

    >>> [is_never_taken(path) for path in ("may.csv", ".may.csv.x7Qz", "#recycle/may.csv", "may.csv.part")]
    [False, True, True, True]
    """
    return any(map(_is_never_taken, relative_path.split("/"))) or any(matches(relative_path, each) for each in ignore)


@lru_cache(_REMEMBERED)
def is_conflict_copy(name: str) -> bool:
    """True for the name of a copy that a sync program made beside the file that people use.

    >>> is_conflict_copy("may (Anna's conflicted copy 2026-11-28).csv"), is_conflict_copy("conflicts.csv")
    (True, False)
    """
    return _CONFLICT.search(normalize("NFC", name).lower()) is not None or _COMPUTER.search(name) is not None


@lru_cache(_REMEMBERED)
def is_our_own(name: str) -> bool:
    """True for the names of batchd's own notes and reports and of a folder's question: none of them is a table.

    >>> [is_our_own(name) for name in ("may.csv.why.txt", "may.report.json", "question.md", "report.csv")]
    [True, True, True, False]
    """
    return _OWN.fullmatch(name.lower()) is not None


@lru_cache(_REMEMBERED)
def _is_never_taken(name: str) -> bool:
    low = name.lower()
    return (
        low.startswith(STARTS)
        or low.endswith(ENDS)
        or low in NAMES
        or _SHAPES.fullmatch(low) is not None
        or _EXCEL.fullmatch(name) is not None
        or _S3.fullmatch(name) is not None
    )
