"""Which encoding a text file is in: its own mark, then what the configuration says, then strict UTF-8.

Nothing is ever decoded by a guess. latin-1 fits every file and a detector is sure of itself on tiny ones, so
where UTF-8 does not fit, the file is refused, and the guess is part of the sentence that says how to mend it.
"""

from __future__ import annotations

import codecs
from typing import IO

from batchd import FileRefused, Source

_MARKS = (
    # UTF-32 before UTF-16: the mark of the one begins with the mark of the other.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20
_SAMPLE = 32_768
_TOO_LITTLE = 200
"""Below so many bytes a detector is wrong more often than it is of use."""
_CONFIDENT = 0.2
"""chardet's own threshold: what it reports below it is as likely as not another one."""
_PROPOSED = (
    "cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "cp932", "cp949", "big5", "gb18030", "koi8-r", "euc-jp", "mac-roman",
)  # fmt: skip

SAVE_AS_UTF8 = "Save the file as UTF-8 (in Excel: Save As, “CSV UTF-8”) and drop it again"


def known_encoding(name: str) -> str:
    """Python's name of a text encoding. ValueError says what to write instead."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f'There is no encoding {name!r}. Write one such as "utf-8", "cp1252" or "cp1258".') from None


def choose_encoding(head: bytes, configured: str | None) -> str:
    """The encoding to decode with. A mark at the beginning is never wrong, so it overrides the configuration.

    `FileRefused` if the bytes cannot be text in it.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    encoding = configured or "utf-8"
    if b"\x00" in head and not encoding.startswith(("utf-16", "utf-32")):
        raise _no_text(head)
    return encoding


def _no_text(head: bytes) -> FileRefused:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 8 and min(even, odd) <= max(even, odd) // 8:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        return FileRefused(
            "encoding",
            f"The file looks like UTF-16 text without the mark that should say so. {SAVE_AS_UTF8}; or, if all "
            f'files of this folder are like this, set encoding = "{encoding}" in the reader table of its route.',
        )
    return FileRefused(
        "binary",
        f"This is not a text file: byte {head.index(0) + 1:,} is a NUL, which no text contains. "
        "Drop a table saved as CSV UTF-8, or a JSON Lines file.",
    )


def undecodable(source: Source, encoding: str) -> FileRefused:
    """The refusal of a file that turned out not to be in `encoding`: where, what it may be, what to do."""
    with source.open() as file:
        offset, line = _first_bad_byte(file, encoding)
        file.seek(offset)
        bad = file.read(1)
        proposal = _proposal(file, offset)
    spoken = "UTF-8" if encoding.startswith("utf-8") else encoding
    where = f"line {line:,}, byte {offset + 1:,} of the file"
    what = f"The file is not valid {spoken}: {where}" + (f" (0x{bad.hex().upper()})." if bad else ".")
    if proposal is None or proposal == encoding:
        mend = f'{SAVE_AS_UTF8}; or set encoding = "…" to what it is in, in the reader table of its route.'
    else:
        mend = (
            f"It looks like {proposal}. {SAVE_AS_UTF8}; or, if all files of this folder are {proposal}, "
            f'set encoding = "{proposal}" in the reader table of its route.'
        )
    return FileRefused("encoding", f"{what} {mend}")


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
            # The decoder stands where it stood before the chunk, so what is good of it can be had after all.
            before = decoder.decode(chunk[: max(0, error.start - pending)])
            # Counted so that a file of old Macintosh line ends has lines as well.
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
    import chardet  # only here: 40 ms that hardly any file needs

    found = chardet.detect(sample, prefer_superset=True, include_encodings=_PROPOSED)
    name, confidence = found["encoding"], found["confidence"]
    if name is None or confidence < _CONFIDENT:
        return None
    return codecs.lookup(name).name
