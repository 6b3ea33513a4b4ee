"""Counts how often the encoding of short and long files is guessed right, guessed wrong, or left to a person.

    python bench/encodings.py

The corpus has reviews and addresses in over thirty languages, each in the code pages that it is written in, fifty-five
in all. A wrong guess is an error. Takes half a minute.
"""

from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "files_plugin"))

from languages import CODE_PAGES, REVIEWS

from batchd_files.texts.encoding import encode_all
from batchd_files.texts.guessing import MIN_BYTES, guess


def files(texts: Sequence[str], chance: random.Random) -> Iterator[tuple[str, Sequence[str]]]:
    """Files made of these texts: a description and the lines of each."""
    words = sorted({word for text in texts for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()})
    yield "all texts", texts
    yield "all texts, 6 times", [*texts] * 6
    yield from (("one text", [text]) for text in texts)
    yield from (("one text, 60 times", [text] * 60) for text in texts)
    yield from (("one word, 250 times", [word] * 250) for word in chance.sample(words, min(4, len(words))))
    yield from (("120 words of those", [chance.choice(words) for _ in range(120)]) for _ in range(3) if words)


def line_of(text: str, encoding: str) -> bytes:
    """A line, empty if the encoding cannot hold it."""
    try:
        return encode_all(f"{text}\r\n", encoding)
    except UnicodeEncodeError:
        return b""


def main() -> int:
    """Print the table."""
    chance = random.Random(1)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for language, texts in REVIEWS.items():
        for encoding in CODE_PAGES[language]:
            for kind, lines in files(texts, chance):
                sample = b"".join(line for text in lines if not (line := line_of(text, encoding)).isascii())
                if not sample:
                    continue
                size = sum(byte > 0x7F for byte in sample)
                sure = guess(sample).sure
                right = sure and all_same(sample.decode(sure), sample.decode(encoding))
                outcome = "handed back" if sure is None else "right" if right else "wrong"
                found[f"{kind}, {'under' if size < MIN_BYTES else 'from'} {MIN_BYTES} bytes"][outcome] += 1
                if outcome == "wrong":
                    print(f"wrong: {language} in {encoding} as {sure}: {lines[:2]}")
    outcomes = ("right", "handed back", "wrong")
    print(f"{'':36} {'files':>6} {'right':>6} {'handed back':>12} {'wrong':>6}")
    for kind, counts in sorted(found.items()):
        right, back, wrong = (counts[each] for each in outcomes)
        print(f"{kind:36} {counts.total():>6} {right:>6} {back:>12} {wrong:>6}")
    print(f"{len(REVIEWS)} languages, {len({each for pages in CODE_PAGES.values() for each in pages})} encodings")
    return 1 if any(counts["wrong"] for counts in found.values()) else 0


def all_same(one: str, other: str) -> bool:
    """Whether both are the same text."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


if __name__ == "__main__":
    sys.exit(main())
