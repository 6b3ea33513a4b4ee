"""Finds rows of a part that ask the same as an earlier row of the part, by the texts in their requests.

Making the key of a request takes as long as writing it, and hardly any row repeats another. So keys are made only for
rows that do. All rows leave a print of 64 bits, by which rows of other parts are found that may ask the same.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

from ...files import replacing
from .pattern import Pattern, RowBlock
from .reuse import key_record

_WHOLE = 8 << 20
"""Bytes of a part up to which its texts are held as they are. Of a larger part, digests are: less memory, more time."""
_PROCESS = hash(b"the texts of a request") or 1
"""Prints are hashes. Only processes that are forked from the same one make the same hashes; they have the same number
here."""


class Repeats:
    """What the rows of a part from row `first` on ask. `key_of` makes the key of a request whose JSON keys are sorted.

    `prints` is the file for the prints, which are compared with those of other parts; None to write none.
    """

    def __init__(
        self, first: int, size: int, pattern: Pattern, key_of: Callable[[bytes], bytes], *, prints: Path | None
    ) -> None:
        self._path = prints
        self._first = first
        self._whole = size <= _WHOLE
        self._pattern = pattern
        self._key_of = key_of
        # What was asked, and by which row; the rows are filled in only once something repeats.
        self._seen: set[bytes] = set()
        self._leaders: dict[bytes, int] = {}
        self._unsorted: list[tuple[Sequence[int], Sequence[bytes]]] = []
        self._keys: dict[int, bytes] = {}
        self._prints = array("q")

    def all_new(self, block: RowBlock) -> bool:
        """Whether no row of the block repeats another row. If so, note all of them as asked."""
        whats = self._whats(block)
        held = self._held(whats)
        fresh = set(held)
        if len(fresh) < len(held) or not self._seen.isdisjoint(fresh):
            return False
        self._seen |= fresh
        self._unsorted.append((block.numbers, held))
        self._print(block.numbers, whats)
        return True

    def asked(self, block: RowBlock, ask: Callable[[int, bytes], bool]) -> None:
        """Ask the rows that do not repeat another row. `ask` returns whether the request breaks no rule."""
        leaders = self._leaders
        for numbers, before in self._unsorted:
            leaders.update(zip(before, numbers, strict=True))
        self._unsorted.clear()
        whats = self._whats(block)
        for place, (row, held) in enumerate(zip(block.numbers, self._held(whats), strict=True)):
            leader = leaders.get(held)
            if leader is not None:
                self._keys[leader] = self._keys[row] = self._key_of(block.body(self._pattern.ordered, place))
            elif ask(row, block.body(self._pattern.body, place)):
                leaders[held] = row
                self._seen.add(held)
            else:
                continue
            self._print([row], whats[place : place + 1])

    def write(self, keys: Path) -> None:
        """Write the keys of rows that repeat or are repeated, if there are any, and the prints of all rows."""
        if self._keys:
            with replacing(keys) as file:
                file.writelines(key_record(row, self._keys[row]) for row in sorted(self._keys))
        if self._path is not None:
            with replacing(self._path) as file:
                file.write(_PROCESS.to_bytes(8, sys.byteorder, signed=True))
                self._prints.tofile(file)

    def _whats(self, block: RowBlock) -> Sequence[bytes]:
        """What each row asks: the texts in its request."""
        texts = [block.texts[slot] for slot in dict.fromkeys(self._pattern.body.slots)]
        if len(texts) == 1:
            return texts[0]
        # No text contains this byte: JSON escapes it.
        return list(map(b"\0".join, zip(*texts, strict=True))) if texts else [b""] * len(block.numbers)

    def _held(self, whats: Sequence[bytes]) -> Sequence[bytes]:
        return whats if self._whole else [blake2b(what, digest_size=32).digest() for what in whats]

    def _print(self, rows: Sequence[int], whats: Sequence[bytes]) -> None:
        if self._path is None:
            return
        # Cheap if the texts themselves are held in the set: bytes cache their hash.
        prints = array("q", map(hash, whats))
        if 0 in prints:
            prints = array("q", [each or 1 for each in prints])
        if rows[-1] - rows[0] >= len(rows):
            of_row = dict(zip(rows, prints, strict=True))
            prints = array("q", [of_row.get(row, 0) for row in range(rows[0], rows[-1] + 1)])
        # 0 for the rows before these that are not compared.
        self._prints.frombytes(bytes((rows[0] - self._first - len(self._prints)) * self._prints.itemsize))
        self._prints.extend(prints)


def read_prints(path: str | None) -> tuple[int, array[int]] | None:
    """Return a process's number and a print of each row of a part, 0 if it is not compared; None if there is no file.

    Prints may be compared only with prints that have the same number.
    """
    prints = array("q")
    try:
        prints.frombytes(Path(path or "").read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        return None
    return prints.pop(0), prints


def repeated(parts: Sequence[array[int]], *, at_once: int) -> set[int]:
    """Return the prints that are in more than one part. About `at_once` of them are in memory at a time."""
    passes = max(1, -(-sum(map(len, parts)) // at_once))
    found: set[int] = set()
    for number in range(passes):
        seen: set[int] = set()
        for prints in parts:
            own = {each for each in prints if each % passes == number} if passes > 1 else set(prints)
            own.discard(0)
            if not seen.isdisjoint(own):
                found |= own & seen
            seen |= own
    return found
