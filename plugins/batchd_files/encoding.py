"""The encoding of a text file: by its byte order mark, else as configured, else strict UTF-8.

A guess is never used for decoding: latin-1 fits every file, and a detector is over-confident on tiny ones. A file
that is not UTF-8 is refused, and the guess is only part of the advice.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import IO

from batchd import FileRefused, Source

_MARKS = (
    # UTF-32 before UTF-16, since its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OWN_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_ORDER = {
    "utf-32-le": "utf-32",
    "utf-32-be": "utf-32",
    "utf-8": "utf-8-sig",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
}
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_CHUNK = 1 << 20
_SAMPLE = 32_768
_TOO_LITTLE = 200
"""With fewer bytes than this, the detector is more often wrong than useful."""
_CONFIDENT = 0.2
"""chardet's own threshold: a guess below it is as likely wrong as right."""
_PROPOSED = (
    "cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "cp932", "cp949", "big5", "gb18030", "koi8-r", "euc-jp", "mac-roman",
)  # fmt: skip

_WORD_BYTES = 40
_BETWEEN_WORDS = re.compile(r"[\s,;|\"]+")

SAVE_AS_UTF8 = "Save the file as UTF-8 (in Excel: Save As, “CSV UTF-8”) and drop it again."


def known_encoding(name: str) -> str:
    """Python's name of a text encoding. ValueError if there is none."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f'There is no encoding {name!r}. Write one such as "utf-8", "cp1252" or "cp1258".') from None


def choose_encoding(head: bytes, configured: str | None) -> str:
    """The encoding to decode with. A byte order mark is always right, so it overrides the configuration.

    Raises `FileRefused` if the bytes cannot be text in it.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    encoding = configured or "utf-8"
    # Without a mark these have no order of their own; nearly all files are from machines with this one.
    encoding = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    if b"\x00" in head and not encoding.startswith(("utf-16", "utf-32")):
        raise _not_text(head)
    return encoding


def written_as(head: bytes, encoding: str) -> tuple[str, bool]:
    """The encoding in which the file can be written line by line, and whether a byte order mark stands before them."""
    for mark, name in _OWN_MARKS:
        if head.startswith(mark) and encoding in (name, _WITHOUT_ORDER[name]):
            return name, True
    return "utf-8" if encoding == "utf-8-sig" else encoding, False


def encoded(text: str, encoding: str) -> bytes:
    """The text in an encoding in which it was read. What that cannot express becomes an escape, and stops nothing."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        if encoding == "cp1258":
            text = "".join(map(_with_tone, text))
        return text.encode(encoding, "backslashreplace")


def _with_tone(letter: str) -> str:
    """A Vietnamese letter as Windows' code page has it: the letter without its tone, and the tone."""
    parts = unicodedata.normalize("NFD", letter)
    tone = next((part for part in parts if part in _TONES), "")
    return unicodedata.normalize("NFC", parts.replace(tone, "", 1)) + tone if tone else letter


def begins_with_mark(head: bytes) -> bool:
    """Whether the bytes would be taken for a byte order mark."""
    return any(head.startswith(mark) for mark, _ in _MARKS)


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


def undecodable(source: Source, encoding: str) -> FileRefused:
    """The refusal of a file that is not in `encoding`: where, what it may be, what to do."""
    with source.open() as file:
        offset, line = _first_bad_byte(file, encoding)
        file.seek(offset)
        bad = file.read(1)
        proposal = _proposal(file, offset)
        if proposal == encoding:
            proposal = None
        word = "" if encoding.startswith(("utf-16", "utf-32")) else _word_at(file, offset, proposal or "ascii")
    example = f" (“{word}”)" if word else ""
    name = "UTF-8" if encoding.startswith("utf-8") else encoding
    if proposal is None:
        what = f"Special characters in line {line:,}{example} are not valid {name}."
    elif proposal.startswith("cp125"):
        what = f"Special characters in line {line:,}{example} are in an old Windows encoding, it seems {proposal}."
    else:
        what = f"Special characters in line {line:,}{example} are not {name}, but it seems {proposal}."
    value = f"is 0x{bad.hex().upper()}" if bad else "is missing"
    detail = f"byte {offset + 1:,} of the file {value}; "
    return FileRefused("encoding", f"{what} {SAVE_AS_UTF8} {_for_operator(proposal or '…', detail)}")


def _for_operator(encoding: str, detail: str = "") -> str:
    return (
        f"For the operator: {detail}if all files of this folder are like this, set encoding = "
        f'"{encoding}" in the reader table of the route.'
    )


def _word_at(file: IO[bytes], offset: int, encoding: str) -> str:
    """The word around a byte, with ? for what cannot be decoded; empty if nothing of it can be."""
    start = max(0, offset - _WORD_BYTES)
    file.seek(start)
    before = file.read(offset - start).decode(encoding, "replace")
    after = file.read(_WORD_BYTES).decode(encoding, "replace")
    word = f"{_BETWEEN_WORDS.split(before)[-1]}{_BETWEEN_WORDS.split(after)[0]}".replace("\ufffd", "?")
    return word if word.isprintable() and any(character.isalnum() for character in word) else ""


def _first_bad_byte(file: IO[bytes], encoding: str) -> tuple[int, int]:
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
            return done, newlines + 1


def _proposal(file: IO[bytes], offset: int) -> str | None:
    file.seek(max(0, offset - _SAMPLE))
    sample = file.read(2 * _SAMPLE)
    if len(sample) < _TOO_LITTLE:
        return None
    import chardet  # here, since it takes 40 ms and hardly any file needs it

    guess = chardet.detect(sample, prefer_superset=True, include_encodings=_PROPOSED)
    name, confidence = guess["encoding"], guess["confidence"]
    if name is None or confidence < _CONFIDENT:
        return None
    return codecs.lookup(name).name
