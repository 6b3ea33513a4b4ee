"""Names that people give to files: how to show them, and the names made from them.

A path here is relative to the inbox, with `/`, as `os.fsdecode` gives it: bytes that are not valid UTF-8 are lone
surrogates, which SQLite and UTF-8 refuse. No user's name becomes a path among the working files. Names in the outbox
and the archive come from this module alone.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata

from .formats import without_packing

LONGEST = 180
"""Bytes of one part of a path that batchd makes; a file system allows 255, and outputs append to it."""

_SURROGATE = re.compile("[\ud800-\udfff]")
# Control characters, line separators, and the marks that change the direction of writing: "gpj.csv" could be shown
# as "vsc.jpg". Joiners stay, since emoji and Persian need them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)
_SUFFIXES = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,9}){1,2}$")

REVIEW = ".review.csv"
"""The ending of a sample of answers for people to check."""


def display(path: str) -> str:
    r"""The path as text for messages and the database: always valid UTF-8, on one line, NFC.

    >>> print(display("a\nb\udcff.csv"))
    a\nb\xff.csv
    """
    return unicodedata.normalize("NFC", _UNSEEN.sub(_escaped, _SURROGATE.sub(_escaped, path)))


def outbox_stem(relative_path: str) -> str:
    """The name of a file's outputs: with its folders, without the suffix of its format, safe on any file system.

    >>> outbox_stem("reviews/may.csv.gz"), outbox_stem("../CON.csv")
    ('reviews/may', '_/CON_')
    """
    *folders, name = _parts(relative_path)
    stem = posixpath.splitext(without_packing(_clean(name).rstrip(" .")))[0]
    return "/".join([*map(_safe, folders), _safe(stem)])


def archive_name(relative_path: str) -> str:
    """The name of the original in the archive and the rejected folder: unchanged, except for what is not safe.

    >>> archive_name("reviews/may.csv")
    'reviews/may.csv'
    """
    *folders, name = _parts(relative_path)
    stem, suffix = posixpath.splitext(_clean(name).rstrip(" ."))
    if len(suffix.encode()) > LONGEST // 4:
        stem, suffix = stem + suffix, ""
    return "/".join([*map(_safe, folders), _safe(stem, LONGEST - len(suffix.encode())) + suffix])


def numbered(stem: str, number: int) -> str:
    """The stem for the second and later outputs of that name.

    >>> numbered("reviews/may", 1), numbered("reviews/may", 2)
    ('reviews/may', 'reviews/may (2)')
    """
    return stem if number < 2 else f"{stem} ({number})"


def number_of(stem: str, plain: str) -> int:
    """The number in a stem that `numbered` made from `plain`.

    >>> number_of("reviews/may", "reviews/may"), number_of("reviews/may (12)", "reviews/may")
    (1, 12)
    """
    match = re.fullmatch(r" \((\d+)\)", stem.removeprefix(plain))
    return int(match[1]) if match else 1


def numbered_file(name: str, number: int) -> str:
    """As `numbered`, for a whole file name: the number goes before the suffixes. A date is not a suffix.

    >>> numbered_file("may.csv", 2), numbered_file("2026.05.csv", 3)
    ('may (2).csv', '2026.05 (3).csv')
    """
    return name if number < 2 else _marked(name, str(number))


def rejected_file(name: str, job: str) -> str:
    """The name in the archive of a rejected file, which had `name` in the rejected folder.

    It follows from what is stored of the job. So it can be found there, and no other file has it.

    >>> rejected_file("reviews/may.csv", "k3j9x2ab")
    'reviews/may (rejected k3j9x2ab).csv'
    """
    return _marked(name, f"rejected {job}")


def _marked(name: str, mark: str) -> str:
    folder, slash, last = name.rpartition("/")
    suffixes = _SUFFIXES.search(last, 1)
    at = suffixes.start() if suffixes else len(last)
    return f"{folder}{slash}{last[:at]} ({mark}){last[at:]}"


def numbered_before(name: str, plain: str) -> list[str]:
    """The names that come before `name`, which `numbered_file` made from `plain`. None if it did not make it.

    >>> numbered_before("may (3).csv", "may.csv"), numbered_before("april.csv", "may.csv")
    (['may.csv', 'may (2).csv'], [])
    """
    numbers = (int(digits) for digits in re.findall(r" \((\d+)\)", name))
    number = next((each for each in numbers if numbered_file(plain, each) == name), 1)
    return [numbered_file(plain, each) for each in range(1, number)]


def shortened(text: str, room: int) -> str:
    """The beginning of the text, at most `room` bytes, cut between characters."""
    return text.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore")


def _parts(relative_path: str) -> list[str]:
    return [name for name in relative_path.split("/") if name] or [""]


def _safe(name: str, room: int = LONGEST) -> str:
    """One part of a path: never empty, hidden, `..`, reserved by Windows, or longer than `room` bytes."""
    name = _clean(name).rstrip(" .")
    if name.startswith("."):
        name = "_" + name[1:]
    base, dot, rest = name.partition(".")
    if base.rstrip(" ").upper() in _RESERVED:
        name = f"{base}_{dot}{rest}"
    return shortened(name, room).rstrip(" .") or "_"


def _clean(name: str) -> str:
    # An invalid byte becomes %FF: visible, and two names that differ in it stay different.
    return unicodedata.normalize("NFC", _UNSEEN.sub("_", _SURROGATE.sub(_percent, name)))


def _percent(match: re.Match[str]) -> str:
    byte = ord(match[0]) - 0xDC00
    return f"%{byte:02X}" if 0x80 <= byte <= 0xFF else "_"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape").decode() if code < 0xD800 else f"\\u{code:04x}"
