"""Reads untrusted XML in pieces: no entities of its own, no external parts, no endless texts.

A document with a `<!DOCTYPE` is refused: no program writes workbooks with one, and without it nothing in the document
can expand or point elsewhere.
"""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from itertools import chain

from batchd import FileRefused

MAX_PIECE = 16 * 1024 * 1024
"""Characters of one row, or of one text."""
_REFERENCE = re.compile(r"&([^;&\s]{0,12});?")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_NAMESPACE = re.compile(r"""\sxmlns(?::[\w.-]+)?\s*=\s*(?:"[^"]*"|'[^']*')""")


def decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    """The text of a document in pieces. Raise FileRefused at a `<!DOCTYPE`."""
    decoder: codecs.IncrementalDecoder | None = None
    before = ""
    try:
        for chunk in chunks:
            if decoder is None:
                wide = chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
            text = decoder.decode(chunk)
            if "<!DOCTYPE" in before + text:
                raise declares()
            before = text[-10:]
            yield text
        if decoder is not None:
            yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise broken("has bytes that are no text") from None


def opening(chunks: Iterable[str], tag: str, most: int) -> tuple[re.Match[str] | None, Iterator[str]]:
    """The match of the first such tag, or None, and the text after it. The match's `string` is the text read so far.

    The search ends after some `most` characters.
    """
    chunks, head = iter(chunks), ""
    for chunk in chunks:
        head += chunk
        found = re.search(tag, head)
        if found is not None:
            return found, chain([head[found.end() :]], chunks)
        if len(head) > most:
            break
    return None, iter(())


def parsed(document: bytes) -> ET.Element:
    """The root of a small document."""
    text = "".join(decoded([document]))
    # The encoding that the document declares is that of the bytes, not of the text.
    return fragment(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))


def fragment(text: str) -> ET.Element:
    """Parse a text as one element. Raise FileRefused if it is not XML or has a `<!DOCTYPE`."""
    if "<!DOCTYPE" in text:
        raise declares()
    try:
        return ET.fromstring(text)  # noqa: S314  # without a DOCTYPE there are no entities, and nothing is fetched
    except ET.ParseError as error:
        raise broken(f"is no XML ({error})") from None
    except (ValueError, RecursionError):
        raise broken("is no XML") from None


def namespaces(tag: str) -> str:
    """The namespace declarations of a tag, for an element that is parsed without it."""
    return "".join(_NAMESPACE.findall(tag))


def local(tag: str) -> str:
    """The name of an element or attribute without its namespace: strict and transitional workbooks differ in these."""
    return tag.rpartition("}")[2]


def plain(text: str) -> str:
    """The text between two tags, with its references and line ends resolved."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _referred(match: re.Match[str]) -> str:
    name = match[1]
    if name in _NAMED and match[0].endswith(";"):
        return _NAMED[name]
    try:
        if name.startswith("#") and match[0].endswith(";"):
            return chr(int(f"0{name[1:]}", 16) if name[1:2] == "x" else int(name[1:]))
    except (ValueError, OverflowError):
        pass
    raise broken(f"has {match[0]!r}, which means nothing")


def pieces(chunks: Iterable[str], end: str, stop: str) -> Iterator[str]:
    """The text in pieces that each end after an `end`; the last piece is the rest before `stop`."""
    left = ""
    for chunk in chunks:
        left += chunk
        closing = left.find(stop, max(0, len(left) - len(chunk) - len(stop)))
        if closing >= 0:
            yield left[:closing]
            return
        cut = left.rfind(end, max(0, len(left) - len(chunk) - len(end)))
        if cut >= 0:
            yield left[: cut + len(end)]
            left = left[cut + len(end) :]
        elif len(left) > MAX_PIECE:
            raise FileRefused(
                "too_long",
                f"A row or a text in this file is longer than {MAX_PIECE:,} characters. Check what it holds, save it "
                "again, and drop that.",
            )
    raise broken(f"ends without {stop}")


def declares() -> FileRefused:
    """The refusal of a document with declarations."""
    return FileRefused(
        "xml",
        "The XML in this file declares entities, which no spreadsheet program writes and which can be used to attack "
        "those who read it. Open the file in a spreadsheet program, save it as a new one, and drop that.",
    )


def broken(how: str) -> FileRefused:
    """The refusal of a document that cannot be read."""
    return FileRefused(
        "damaged",
        f"The XML in this file {how}. Open the file in a spreadsheet program, save it as a new one, and drop that.",
    )
