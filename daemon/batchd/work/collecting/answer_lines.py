"""Reads the lines of downloaded answers in any form: an array, gzip, UTF-16, an object over many lines.

Packed answers are unpacked once, when they are downloaded, before secrets are covered. Later code unpacks nothing.

A line that is too long is cut, and gzip is unpacked no further than the answers can be long, so that memory and disk
are bounded whatever arrives. Plain JSON Lines, which nearly all answers are, are read only once.
"""

from __future__ import annotations

import codecs
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from ...answers.meaning import owner, stripped
from .answer_bounds import AnswerBounds, answer_bounds

MIN_LINE = 1_000_000
MAX_LINE = 32_000_000
"""Bytes of a line that are read, at least and at most, whatever its request asks for."""
MAX_UNPACKED = 4_000_000_000
"""Bytes that packed answers unpack to at most, whatever the requests ask for."""
MAX_LAYERS = 2
"""How many layers of packing are unpacked at most."""
_HEAD, _BLOCK = 4_096, 1 << 16
_GZIP = b"\x1f\x8b\x08"
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_RARE = (b"\x1f", b"\xff")
_UNDER_A_KEY = re.compile(rb'\s*\{\s*"\w+"\s*:\s*\[\s*(?=\{)')
_BETWEEN = re.compile(rb"\}[\s,]*\{")
"""What is between two objects on one line, and in most lists of objects."""
_skip = msgspec.json.Decoder(msgspec.Raw).decode
_STRUCTURE = re.compile(rb'\\[^\n]|"|\{|\}|\[|\]|\n')
"""What an object is made of. A line that is cut within an escape ends there all the same.

Each byte is a branch of its own: with a set of bytes as a branch, `re` tries each place, which is ten times as slow.
"""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bytes of a line that are read, and of all that packed answers unpack to."""

    line: int = MIN_LINE
    unpacked: int = MAX_UNPACKED

    @classmethod
    def of(cls, requests: str | None) -> ReadLimits:
        """Return the limits for answers to a file of requests."""
        return cls.by(answer_bounds(Path(requests)) if requests is not None else None)

    @classmethod
    def by(cls, bounds: AnswerBounds | None, *, most: int = MAX_LINE) -> ReadLimits:
        """Return the limits for answers with these bounds; at most `most` bytes of a line."""
        if bounds is None:
            return cls()
        return cls(min(most, max(MIN_LINE, bounds.line)), min(MAX_UNPACKED, bounds.total))


def answer_lines(path: Path, limits: ReadLimits = ReadLimits()) -> Iterator[bytes]:
    """Yield each line, stripped; empty lines are left out."""
    with path.open("rb") as file:
        yield from _lines(file, limits, 0)


def unpack(file: IO[bytes], start: int, limits: ReadLimits) -> bool:
    """Replace what is packed or in UTF-16, from `start` on, with its lines. Return False if nothing is."""
    if not is_packed(file, start):
        return False
    with tempfile.TemporaryFile() as plain:
        file.seek(start)
        for line in _lines(file, limits, MAX_LAYERS):
            plain.write(line + b"\n")
        file.seek(start)
        file.truncate()
        plain.seek(0)
        shutil.copyfileobj(plain, file)
    return True


def is_packed(file: IO[bytes], start: int) -> bool:
    """Whether anything from `start` on is packed or in UTF-16. Leaves the file at its end."""
    file.seek(start)
    try:
        head = file.read(_BLOCK)
        if head[:3] == _GZIP or head[:2] in _UTF_16:
            return True
        while head:
            # Each mark has a byte that is in no JSON, and a search for one byte is ten times as fast as for three.
            if any(byte in head for byte in _RARE) and any(b"\n" + mark in head for mark in (_GZIP, *_UTF_16)):
                return True
            more = file.read(_BLOCK)
            head = head[-3:] + more if more else b""
        return False
    finally:
        file.seek(0, 2)


def _lines(file: IO[bytes], limits: ReadLimits, layers: int) -> Iterator[bytes]:
    while whole := file.readline(limits.line):
        line = stripped(whole)
        if is_whole_object(line):
            yield line
        elif line:
            file.seek(-len(whole), 1)
            yield from _odd(file, line, limits, layers)


def is_whole_object(line: bytes) -> bool:
    """Whether a line is one object and nothing else, as far as can be told without decoding each line."""
    return line[:1] == b"{" and line[-1:] == b"}" and not _is_several(line) and not _is_list(line)


def _is_several(line: bytes) -> bool:
    """Whether more stands behind the object that the line begins with: in nearly all cases, another object."""
    if _BETWEEN.search(line) is None:
        return False
    try:
        # Nearly all such lines are one object with a list of objects in it, and this is fast.
        _skip(line)
    except (ValueError, RecursionError):
        return _first_end(line) < len(line)
    return False


def _first_end(line: bytes) -> int:
    """Where the first object of a line ends; the end of the line if it does not."""
    depth, text = 0, False
    for match in _STRUCTURE.finditer(line):
        what = match[0]
        if what == b'"':
            text = not text
        elif text or what == b"\n" or len(what) > 1:
            continue
        elif what in b"{[":
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                return match.end()
    return len(line)


def _odd(file: IO[bytes], line: bytes, limits: ReadLimits, layers: int) -> Iterator[bytes]:
    """Yield the lines in what begins at this line, which is not just one object."""
    if layers and line.startswith(_GZIP):
        with _unpacked(file, limits) as content:
            yield from _lines(content, limits, layers - 1)
    elif layers and line[:2] in _UTF_16:
        with _transcoded(file, _UTF_16[line[:2]]) as content:
            yield from _lines(content, limits, layers - 1)
    elif line[:1] == b"[" or _is_list(line) or (line == b"{" and _UNDER_A_KEY.match(_ahead(file))):
        file.seek(_ahead(file).index(b"[") + 1, 1)
        yield from _objects(file, limits, array=True)
        _skip_line(file, limits)
    elif line[:1] == b"{" and (line[-1:] in b"{[," or _is_several(line)):
        yield from _objects(file, limits, array=False)
    else:
        _skip_line(file, limits)
        if line[:1] != b'"' and line.strip(b"]}, "):
            yield line.removesuffix(b",")


def _is_list(line: bytes) -> bool:
    """Whether the line begins an object that holds the answers in a list."""
    return _UNDER_A_KEY.match(line) is not None and (line[-1:] != b"}" or owner(line) is None)


def _ahead(file: IO[bytes]) -> bytes:
    content = file.read(_HEAD)
    file.seek(-len(content), 1)
    return content


def _skip_line(file: IO[bytes], limits: ReadLimits) -> None:
    while (piece := file.readline(limits.line)) and not piece.endswith(b"\n"):
        pass


def _objects(file: IO[bytes], limits: ReadLimits, *, array: bool) -> Iterator[bytes]:
    """Yield the objects from here to the end of the array, or of the line in which the last object ends."""
    depth, text, found = 0, False, bytearray()

    def add(piece: bytes) -> None:
        found.extend(piece[: max(0, limits.line - len(found))])

    def whole() -> bytes:
        line = bytes(found).replace(b"\n", b" ").replace(b"\r", b" ").strip()
        found.clear()
        return line

    def is_object(begins: bytes) -> bool:
        if len(begins) < 2:  # the block ends here
            more = file.read(2 - len(begins))
            file.seek(-len(more), 1)
            begins += more
        return begins == b'{"'

    while block := file.read(_BLOCK):
        at, begun, stop = file.tell() - len(block), 0, -1
        for match in _STRUCTURE.finditer(block):
            place, stop, what = match.start(), match.end(), match[0]
            if what == b'"':
                text = not text
            elif what == b"\n" and (text or (depth and is_object(block[place + 1 : place + 3]))):
                # A JSON string holds no line end, so the line was cut, and the next one may be whole.
                add(block[begun:place])
                depth, text, begun = 0, False, place
                yield whole()
                if not array:
                    file.seek(at + place + 1)
                    return
            elif text or (what == b"\n" and (depth or array)) or len(what) > 1:
                continue
            elif what in b"{[":
                begun = begun if depth else place
                depth += 1
            elif not depth:
                file.seek(at + place + (what == b"\n"))
                return
            else:
                depth -= 1
                if not depth:
                    add(block[begun : place + 1])
                    begun = place + 1
                    yield whole()
        if block.endswith(b"\\") and len(block) > 1 and stop != len(block):
            # The block ends within an escape: read the backslash again, with what it escapes.
            block = block[:-1]
            file.seek(-1, 1)
        if depth:
            add(block[begun:])
    if found:
        yield whole()


@contextmanager
def _unpacked(file: IO[bytes], limits: ReadLimits) -> Iterator[IO[bytes]]:
    """Unpack gzip as far as possible, within the limits. Leaves the file at the end of the packed part."""
    with tempfile.TemporaryFile() as content:
        packed, end = zlib.decompressobj(wbits=31), file.tell()
        while content.tell() <= limits.unpacked and (block := file.read(_BLOCK)):
            end += len(block)
            try:
                while block and content.tell() <= limits.unpacked:
                    content.write(packed.decompress(block, _BLOCK * 16))
                    block = packed.unconsumed_tail
            except zlib.error:
                break
            if packed.eof:
                end -= len(packed.unused_data)
                break
        file.seek(end)
        content.truncate(min(content.tell(), limits.unpacked))
        content.seek(0)
        yield content


@contextmanager
def _transcoded(file: IO[bytes], encoding: str) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as content:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        while block := file.read(_BLOCK):
            content.write(decoder.decode(block).encode("utf-8", "replace"))
        content.seek(0)
        yield content
