"""The encoding of a text file: by its byte order mark, else as configured, else UTF-8, else a guess that is certain.

Latin-1 fits every file, so a guess needs evidence: see `guessing`. A file without it is refused, and the guesses are
only part of the advice.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from typing import IO, Annotated

from pydantic import AfterValidator

from batchd import FileRefused, Source

from .guessing import Candidate, guess, is_utf8, lines_beyond_utf8

_MARKS = (
    # UTF-32 before UTF-16, since its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
)
"""Each mark, the encoding that reads it, and the one that writes no mark by itself."""
_NEVER_IN_TEXT = tuple(bytes([code]) for code in (*range(1, 7), *range(14, 26)))
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_CHUNK = 1 << 20
_WORD_BYTES = 40
_BETWEEN_WORDS = re.compile(r"[\s,;|\"]+")

SAVE_AS_UTF8 = "Save the file as UTF-8 (in Excel: Save As, “CSV UTF-8”) and drop it again."


def known_encoding(name: str) -> str:
    """Return Python's name of a text encoding, or `auto`. Raise ValueError if there is no such encoding."""
    if name == "auto":
        return name
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f'There is no encoding {name!r}. Write one such as "utf-8", "cp1252" or "cp1258".') from None


def find_encoding(source: Source, head: bytes, configured: str) -> str:
    """The encoding to decode with. A byte order mark is always right, so it overrides the configuration.

    Raises `FileRefused` if the bytes at the beginning cannot be text in it, or if none is certain.
    """
    for mark, encoding, _ in _MARKS:
        if head.startswith(mark):
            return encoding
    automatic = configured == "auto"
    if automatic and (order := order_without_mark(head)) is not None:
        return order
    encoding = "utf-8" if automatic else configured
    # Without a mark these do not say the order of their bytes; nearly all files are little-endian.
    encoding = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    if b"\x00" in head and not encoding.startswith(("utf-16", "utf-32")) and not _is_text_with_nuls(head):
        raise _not_text(head)
    return _certain_encoding(source) if automatic else encoding


def order_without_mark(head: bytes) -> str | None:
    """The encoding of UTF-16 text without a mark, by the order of its bytes; None if that is not certain.

    Only the right order has line ends: in the other, their bytes are no characters, or very rare ones.
    """
    if b"\x00" not in head:
        return None
    texts = {name: codecs.getincrementaldecoder(name)("replace").decode(head) for name in ("utf-16-le", "utf-16-be")}
    lines = {name: sum(map(text.count, "\r\n")) for name, text in texts.items()}
    order = max(lines, key=lambda name: lines[name])
    strange = any(unicodedata.category(each) in {"Cc", "Cn", "Co"} and each not in "\t\r\n" for each in texts[order])
    return order if lines[order] and not min(lines.values()) and not strange and "\ufffd" not in texts[order] else None


def _is_text_with_nuls(head: bytes) -> bool:
    """Whether the bytes are text with a few NULs. Then only the rows with NULs fail, not the file."""
    strange = sum(head.count(byte) for byte in _NEVER_IN_TEXT)
    return not strange and head.count(0) <= max(1, len(head) // 100)


EncodingName = Annotated[str, AfterValidator(known_encoding)]
"""The encoding of a setting, or `auto`."""


def _certain_encoding(source: Source) -> str:
    """The encoding of a file without a mark: UTF-8, or a guess. Raises `FileRefused` if none is certain."""
    with source.open() as file:
        if is_utf8(file):
            return "utf-8"
        file.seek(0)
        lines = lines_beyond_utf8(file)
        found = guess(lines.sample)
        likely = found.candidates[0].encoding if found.candidates else "latin-1"
        if lines.mixed(found.sure or likely):
            raise undecodable(source, "utf-8", also_utf8=lines.first_utf8)
        if found.sure is not None:
            file.seek(0)
            if _first_bad_byte(file, found.sure) is None:
                return found.sure
    raise undecodable(source, "utf-8", found.candidates)


def written_as(head: bytes, encoding: str) -> tuple[str, bool]:
    """The encoding in which the file can be written line by line, and whether it begins with a byte order mark."""
    for mark, reads, writes in _MARKS:
        if head.startswith(mark) and encoding in (reads, writes):
            return writes, True
    return "utf-8" if encoding == "utf-8-sig" else encoding, False


def encoded(text: str, encoding: str) -> bytes:
    """The text in an encoding. Characters that the encoding lacks become escapes, so that they stop nothing."""
    try:
        return encode_all(text, encoding)
    except UnicodeEncodeError:
        return (_with_tones(text) if encoding == "cp1258" else text).encode(encoding, "backslashreplace")


def encode_all(text: str, encoding: str) -> bytes:
    """The text in an encoding. Raise UnicodeEncodeError if the encoding lacks one of its characters."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        if encoding != "cp1258":
            raise
        return _with_tones(text).encode(encoding)


def _with_tones(text: str) -> str:
    return "".join(map(_with_tone, text))


def _with_tone(letter: str) -> str:
    """A Vietnamese letter as the code page cp1258 has it: the letter without its tone, then the tone."""
    parts = unicodedata.normalize("NFD", letter)
    tone = next((part for part in parts if part in _TONES), "")
    return unicodedata.normalize("NFC", parts.replace(tone, "", 1)) + tone if tone else letter


def begins_with_mark(head: bytes) -> bool:
    """Whether the bytes would be taken for a byte order mark."""
    return any(head.startswith(mark) for mark, *_ in _MARKS)


def _not_text(head: bytes) -> FileRefused:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 8 and min(even, odd) <= max(even, odd) // 8:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        return FileRefused(
            "encoding",
            f"The file looks like UTF-16 text without a byte order mark. {SAVE_AS_UTF8} {_for_operator(encoding)}",
        )
    return FileRefused(
        "binary",
        f"This is not a text file: byte {head.index(0) + 1:,} is a NUL. "
        "Drop a table saved as CSV UTF-8, or a JSON Lines file.",
    )


def undecodable(
    source: Source, encoding: str, candidates: Sequence[Candidate] = (), *, also_utf8: int = 0
) -> FileRefused:
    """The refusal of a file that is not in `encoding`. It says where, how the word reads in each candidate, what to do.

    `also_utf8` is the number of a line that is UTF-8, in a file that mixes encodings.
    """
    with source.open() as file:
        offset, line = _first_bad_byte(file, encoding) or (0, 1)
        file.seek(offset)
        bad = file.read(1)
        readings = {each.encoding: _word_at(file, offset, each.encoding) for each in candidates}
        readings = {name: word for name, word in readings.items() if word}
        wide = encoding.startswith(("utf-16", "utf-32"))
        word = "" if wide else _word_at(file, offset, "ascii")
    likely = next(iter(readings), None) if len(readings) == 1 else None
    example = f" (“{readings[likely] if likely else word}”)" if likely or word else ""
    name = "UTF-8" if encoding.startswith("utf-8") else encoding
    what = f"Special characters in line {line:,}{example} are not valid {name}"
    if also_utf8:
        what += (
            f", and those in line {also_utf8:,} are: the file seems to be put together from files of different "
            "encodings."
        )
    elif likely is not None:
        what += f", but it seems {likely}."
    elif readings:
        read = [f"“{text}” in {name}" for name, text in readings.items()]
        what += f". This could be {', '.join(read[:-1])} or {read[-1]}, and the file has too few of them to be sure."
    else:
        what += "."
    value = f"is 0x{bad.hex().upper()}" if bad else "is missing"
    detail = f"byte {offset + 1:,} of the file {value}; "
    advice = SAVE_AS_UTF8
    if also_utf8:
        advice = "Save each of them as UTF-8, put them together again, and drop the file again."
    return FileRefused("encoding", f"{what} {advice} {_for_operator(likely or '…', detail)}")


def _for_operator(encoding: str, detail: str = "") -> str:
    return (
        f"For the operator: {detail}if all files of this folder are like this, set encoding = "
        f'"{encoding}" in the reader table of the route.'
    )


def _word_at(file: IO[bytes], offset: int, encoding: str) -> str:
    """The word around a byte, with ? for bytes that cannot be decoded; empty if no letter or digit of it can be."""
    start = max(0, offset - _WORD_BYTES)
    file.seek(start)
    before = file.read(offset - start).decode(encoding, "replace")
    after = file.read(_WORD_BYTES).decode(encoding, "replace")
    word = f"{_BETWEEN_WORDS.split(before)[-1]}{_BETWEEN_WORDS.split(after)[0]}".replace("\ufffd", "?")
    return word if word.isprintable() and any(character.isalnum() for character in word) else ""


def _first_bad_byte(file: IO[bytes], encoding: str) -> tuple[int, int] | None:
    """The offset and the line of the first byte that is not in the encoding; None if there is none."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done = 0
    newlines = returns = 0
    while True:
        chunk = file.read(_CHUNK)
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # The decoder is in the state before the chunk, so the good part of the chunk can still be decoded.
            before = decoder.decode(chunk[: max(0, error.start - pending)])
            # Carriage returns count for files with old Macintosh line ends.
            line = (newlines + before.count("\n")) or (returns + before.count("\r"))
            return done - pending + error.start, line + 1
        newlines += text.count("\n")
        returns += text.count("\r")
        done += len(chunk)
        if not chunk:
            return None
