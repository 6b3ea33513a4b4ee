"""The encoding of a text that is not UTF-8, where it is certain.

Two witnesses must agree: a detector, which knows how often letters follow one another in many languages, and the text
itself, which must look like words in the encoding and in no other.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import IO

MIN_BYTES = 200
"""Bytes beyond ASCII. With fewer the detector is more often wrong than useful."""
MIN_WORDS, MIN_TYPOGRAPHIC = 2, 4
"""Different words with such bytes. One word reads well in many encodings, however often it is repeated; and a
typographic sign of English text may be a letter in another encoding."""
LEAD = 0.05
"""By how much the detector must prefer an encoding to the next one in which the text looks like words, too."""
CONFIDENT = 0.2
"""The detector's own threshold: a guess below it is as likely wrong as right."""
ODD = 0.1
"""Of the characters beyond ASCII, the share that may stand where no word has them."""
MORE_ODD = 0.01
"""A reading with a larger share of odd characters is not certain. One whose share is larger than the first's by more
than this is no rival."""
MAX_CANDIDATES = 4
LOOKED_AT = 4_000
"""Characters beyond ASCII that are looked at."""
MAX_READINGS = 24

SAMPLE = 200_000
"""Bytes of lines that are looked at."""
_CHUNK = 1 << 18

_TYPOGRAPHY = frozenset("‘’‚“”„–—…•€£©®™°\u00a0")
"""What English text has beyond ASCII. In other encodings, these bytes are letters in odd places."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoding that the text can be in, and how it reads then."""

    encoding: str
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Guess:
    """`sure` is the encoding if it is certain. `candidates` read differently, the likeliest first."""

    sure: str | None
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a file that are not UTF-8, as far as they fit into the sample.

    Of the lines beyond ASCII, `other` are not UTF-8, the first of them line `first_other`; `utf8` are UTF-8, the first
    line `first_utf8`.
    """

    sample: bytes
    other: int
    utf8: int
    first_other: int
    first_utf8: int

    def mixed(self, encoding: str) -> bool:
        """Whether the file was put together from files of this encoding and of UTF-8.

        A line is never UTF-8 by chance, except for a few lines in encodings with two bytes a letter.
        """
        two_bytes = len(self.sample.decode(encoding, "replace")) < len(self.sample)
        return self.utf8 > (self.other // 20 if two_bytes else 0)


def is_utf8(file: IO[bytes]) -> bool:
    """Whether the whole file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in iter(partial(file.read, _CHUNK), b""):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def lines_beyond_utf8(file: IO[bytes]) -> Lines:
    """Read all lines and sample those that are not UTF-8.

    When the sample is full, every second line of it is dropped, and from then on half as many are taken.
    """
    kept: list[bytes] = []
    size = other = utf8 = first_other = first_utf8 = 0
    step = 1
    for number, line in enumerate(iter(partial(file.readline, _CHUNK), b""), start=1):
        if line.isascii():
            continue
        try:
            line.decode()
        except UnicodeDecodeError:
            other += 1
            first_other = first_other or number
        else:
            utf8 += 1
            first_utf8 = first_utf8 or number
            continue
        if other % step:
            continue
        kept.append(line)
        size += len(line)
        while size > SAMPLE and len(kept) > 1:
            del kept[::2]
            size, step = sum(map(len, kept)), step * 2
    return Lines(b"".join(kept)[:SAMPLE], other, utf8, first_other, first_utf8)


def guess(sample: bytes) -> Guess:
    """The encoding of lines that are not UTF-8. `sample` holds those lines alone, from all over the file."""
    candidates = _candidates(sample)
    odd = {each.encoding: _odd(each.text) for each in candidates[:MAX_READINGS]}
    plausible = [each for each in candidates[:MAX_READINGS] if odd[each.encoding] <= ODD]
    if not plausible:
        return Guess(None, candidates[:MAX_CANDIDATES])
    first = plausible[0]
    others = [each for each in plausible[1:] if odd[each.encoding] <= odd[first.encoding] + MORE_ODD]
    words = len({word for word in _WORD.findall(sample) if not word.isascii()})
    enough = sum(byte > 0x7F for byte in sample) >= MIN_BYTES and words >= MIN_WORDS
    typographic = [each for each in plausible if _is_typography(each.text)]
    sure = None
    if enough and len(typographic) == 1 and words >= MIN_TYPOGRAPHIC:
        sure = typographic[0].encoding
    elif enough and first is candidates[0] and odd[first.encoding] <= MORE_ODD:
        ahead = bool(others) and first.confidence - others[0].confidence >= LEAD and first.confidence >= CONFIDENT
        sure = first.encoding if ahead or not others else None
    return Guess(sure, plausible[:MAX_CANDIDATES])


def _candidates(sample: bytes) -> list[Candidate]:
    """The different readings of the sample, each with the likeliest encoding for it; the likeliest reading first."""
    import chardet  # here, since it takes 40 ms and hardly any file needs it

    found: dict[str, Candidate] = {}
    for each in chardet.detect_all(sample, ignore_threshold=True, compat_names=False, max_bytes=len(sample)):
        name = each["encoding"]
        if name is None or not _like_ascii(name):
            continue
        try:
            text = sample.decode(name)
        except UnicodeError:
            continue
        found.setdefault(unicodedata.normalize("NFC", text), Candidate(name, text, each["confidence"]))
    return list(found.values())


def _like_ascii(encoding: str) -> bool:
    """Whether letters, digits and delimiters have the same bytes in the encoding as in ASCII."""
    plain = "aZ09,;\t|\"'\r\n"
    try:
        return plain.encode(encoding) == plain.encode("ascii")
    except (LookupError, UnicodeError):
        return False


def _is_typography(text: str) -> bool:
    """Whether all characters beyond ASCII are signs of English text, in places where English text has them."""
    places = _beyond(text)
    if not _TYPOGRAPHY.issuperset(text[at] for at in places):
        return False
    right = sum(_IN_PLACE.match(text, at) is not None for at in places)
    return right >= len(places) * (1 - MORE_ODD)


def _beyond(text: str) -> list[int]:
    """The places of the first characters beyond ASCII, at most LOOKED_AT."""
    return [match.start() for match in islice(_BEYOND.finditer(text), LOOKED_AT)]


def _odd(text: str) -> float:
    """The share of the characters beyond ASCII that stand where no word of any language has them."""
    places = _beyond(text)
    if not places:
        return 1.0
    odd = 0
    for at in places:
        character = text[at]
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        kind = unicodedata.category(character)
        if kind in {"Cc", "Co", "Cn", "Cs"}:
            return 1.0
        script = _script(character)
        if kind[0] == "L":
            capital_inside = kind == "Lu" and before.islower()
            other = script != _script(before, character) or _foreign(script, after)
            odd += capital_inside or other or "\ufb00" <= character <= "\ufb06"
        elif kind[0] == "M":
            odd += _foreign(script, before)
        elif kind[0] in "SPN" and not "\u3000" <= character <= "\uffef":  # Chinese and Japanese need no space there
            inside = _ends_in_letter(text, at, -1) and _ends_in_letter(text, at, 1) and character not in "’‘·־،"
            odd += inside or (kind == "Sc" and before.isalpha())
    return odd / len(places)


def _foreign(script: str, neighbour: str) -> bool:
    """Whether the neighbour is a letter of another alphabet."""
    other = _script(neighbour)
    return script in _SCRIPTS and other in _SCRIPTS and other != script


def _ends_in_letter(text: str, at: int, step: int) -> bool:
    """Whether a letter comes next in this direction, after characters beyond ASCII that are not letters."""
    at += step
    while 0 <= at < len(text) and text[at] > "\x7f" and not text[at].isalpha():
        at += step
    return 0 <= at < len(text) and text[at].isalpha()


_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_BEYOND = re.compile(r"[^\x00-\x7f]")
_IN_PLACE = re.compile(
    r"(?<=[A-Za-z])’(?:s|t|m|d|re|ve|ll)(?![A-Za-z])|(?<=s)’(?![A-Za-z])"  # it’s, the boys’
    r"|(?<![A-Za-z0-9])[“‘„‚](?=[A-Za-z0-9])|(?<=[.,!?])[”’](?![A-Za-z0-9])"
    r"|(?<= )[–—](?= )|(?<=[0-9])–(?=[0-9])|(?<=[A-Za-z])…(?![A-Za-z])"
    r"|(?<![A-Za-z])[€£](?=[0-9])|(?<=[0-9 ])[€£°](?![A-Za-z]*[a-z]{2})|(?<![A-Za-z])[•©]|(?<=[A-Za-z])[®™](?![A-Za-z])"
)
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "THAI")


@lru_cache(maxsize=10_000)
def _script(character: str, otherwise: str = "") -> str:
    """The script of a letter, in one word; that of `otherwise` if `character` is no letter."""
    letter = next((each for each in (character, otherwise) if each and unicodedata.category(each)[0] in "LM"), "")
    if not letter:
        return ""
    name = unicodedata.name(letter, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), "other")
