"""The texts that the cells of a workbook share: in memory, and those beyond a limit in a file."""

from __future__ import annotations

import mmap
import re
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Self

from .xml_text import fragment, local, namespaces, opening, pieces, plain

IN_MEMORY = 32 * 1024 * 1024
"""Characters. Each text counts for 60 more, which Python needs for it."""
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


class Texts:
    """Texts by their number. Beyond `room`, they are in a file without a name beside the source."""

    def __init__(self, folder: Path, room: int = IN_MEMORY) -> None:
        self._folder = folder
        self._room = room
        self._list: list[str] = []
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._ends = array("Q", [0])

    def extend(self, texts: Iterable[str]) -> None:
        """Add texts."""
        for text in texts:
            if self._room > 0:
                self._list.append(text)
                self._room -= len(text) + 60
                continue
            if self._file is None:
                self._file = _nameless(self._folder)
            self._ends.append(self._ends[-1] + self._file.write(text.encode("utf-8", "surrogatepass")))

    def quick(self) -> Sequence[str] | Texts:
        """The texts for reading: a plain list if all are in memory."""
        if self._file is None:
            return self._list
        self._file.flush()
        if self._ends[-1]:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self

    def __len__(self) -> int:
        return len(self._list) + len(self._ends) - 1

    def __getitem__(self, place: int) -> str:
        beyond = place - len(self._list)
        if beyond < 0:
            return self._list[place]
        begin, end = self._ends[beyond], self._ends[beyond + 1]
        return self._map[begin:end].decode("utf-8", "surrogatepass") if self._map is not None else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._map is not None:
            self._map.close()
        if self._file is not None:
            self._file.close()


def _nameless(folder: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()  # an estimate may read a file in a folder that is not writable


def read_shared(chunks: Iterable[str], texts: Texts) -> None:
    """Add the texts of a document of shared strings."""
    root, rest = opening(chunks, r"<((?:[\w.-]+:)?)sst\b[^>]*>", 1_000_000)
    if root is None or root[0].endswith("/>"):
        return
    prefix, spaces = root[1], namespaces(root[0])
    usual = re.compile(
        rf'<{prefix}si>(?:<{prefix}t(?: xml:space="preserve")?>([^<]*)</{prefix}t>|<{prefix}t/>)</{prefix}si>'
        rf"|<{prefix}si/>"
    )
    end, begin = f"</{prefix}si>", f"<{prefix}si"

    for piece in pieces(rest, end, f"</{prefix}sst>"):
        found = usual.findall(piece)
        if len(found) == piece.count(begin) and "<!" not in piece:
            texts.extend(map(cell_text, found))
            continue
        element = fragment(f"<root{spaces}>{piece}</root>")
        texts.extend(unescaped(rich_text(item)) for item in element if local(item.tag) == "si")


def rich_text(item: object) -> str:
    """The text of an element: its own or that of its runs, without the phonetic readings of Japanese words."""
    parts = []
    for child in item:  # type: ignore[attr-defined]  # an Element, whose type would import the parser here
        name = local(child.tag)
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [each.text or "" for each in child if local(each.tag) == "t"]
    return "".join(parts)


def cell_text(raw: str) -> str:
    """The text of a cell from what stands between its tags."""
    if "&" in raw or "\r" in raw:
        raw = plain(raw)
    return unescaped(raw) if "_x" in raw else raw


def unescaped(text: str) -> str:
    """The text with the characters that XML cannot have, which Excel writes as `_x000D_`."""
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
