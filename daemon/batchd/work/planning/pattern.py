"""Makes many requests at a time if they differ only in the texts of cells: one is cut at these, and filled in for rows.

`PromptBuilder.pattern` says that they do. Whatever a row holds, its request is the one that `build` makes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from operator import add, itemgetter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...columns import cell_text
from ...contracts import PromptBuilder
from ...domain import rows
from ...errors import PluginError
from ...model import BadRow, Body, Failure, Json
from ...plugin_base import overrides_last
from ...requests.rules import BodyRules
from ...values import replace
from ..pictures import shows_pictures
from .plan_task import EMPTY

_CHUNK = 1 << 17
"""Bytes of rows that are planned together: few enough for the processor's cache."""

_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_cells = msgspec.json.Decoder(list[msgspec.Raw]).decode_lines
_decode = msgspec.json.Decoder().decode
_FIRST, _QUOTE = itemgetter(0), ord('"')


class Cut(Struct, frozen=True):
    """An encoded request, cut where the texts of cells go. `slots` are the places of these texts' columns."""

    pieces: Sequence[bytes]
    slots: Sequence[int]

    def filled(self, texts: Mapping[int, bytes]) -> bytes:
        """Return the request with these texts, which are JSON strings without their quotes."""
        line = [self.pieces[0]]
        for slot, piece in zip(self.slots, self.pieces[1:], strict=True):
            line += (texts[slot], piece)
        return b"".join(line)


class Pattern(Struct, frozen=True):
    """The request of a part's rows, cut: as it is sent, and `ordered`, with its JSON keys sorted, for comparing.

    An answer may have `most` tokens, 0 without a limit. Unless texts `may_be_empty`, a request with an empty text may
    break a rule.
    """

    body: Cut
    ordered: Cut
    most: int
    may_be_empty: bool


def pattern_of(builder: PromptBuilder[Any], columns: Sequence[str], common: Body, endpoint: str) -> Pattern | None:
    """Return the pattern of the requests about rows with these columns; None if each must be built by itself."""
    if not all(overrides_last(builder, "pattern", other) for other in ("build", "encode")):
        return None
    plain = builder.pattern(lambda _: "")
    if plain is None:
        return None
    # Find a mark that the request does not contain.
    known = _encode({**common, **plain})
    salt = next(number for number in count() if f"<cell-{number}-".encode() not in known)
    marks: dict[str, str] = {}
    body = builder.pattern(lambda column: marks.setdefault(column, f"<cell-{salt}-{len(marks)}>"))
    if body is None or not set(marks) <= set(columns) or shows_pictures(body):
        return None
    places = {mark.encode(): columns.index(column) for column, mark in marks.items()}
    whole = {**common, **body}
    cut, ordered = (_cut(encode(whole), places) for encode in (_encode, _encode_sorted))
    only_texts = set(cut.slots) == set(places.values()) and not any(f"<cell-{salt}-" in key for key in _keys(body))
    if not only_texts or cut.filled(dict.fromkeys(cut.slots, b"")) != known:
        name = type(builder).__name__
        raise PluginError(f"The prompt builder {name} breaks its contract: its `pattern` does more than place texts.")
    rules = BodyRules(endpoint, common.get("model"))
    fault, most = rules.read(cut.filled(dict.fromkeys(cut.slots, b"text")))
    if fault is not None:
        return None
    fault, _ = rules.read(cut.filled(dict.fromkeys(cut.slots, b"")))
    return Pattern(cut, ordered, most, may_be_empty=fault is None)


def _keys(value: Json) -> Iterator[str]:
    """Yield the keys in a value, at any depth."""
    if isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    for each in value if isinstance(value, list | tuple) else ():
        yield from _keys(each)


def _cut(encoded: bytes, places: Mapping[bytes, int]) -> Cut:
    if not places:
        return Cut([encoded], [])
    pieces = re.split(b"(%b)" % b"|".join(map(re.escape, places)), encoded)
    return Cut(pieces[::2], [places[mark] for mark in pieces[1::2]])


# --- rows ----------------------------------------------------------------------------------------------------------


class RowBlock(Struct, frozen=True):
    """Rows: their numbers, and the texts of the needed columns. `others` are rows that are not asked: they have none.

    If a text `may_be_cut`, it has a character at which some readers of lines would split the line.
    """

    numbers: Sequence[int]
    texts: Mapping[int, Sequence[bytes]]
    others: Sequence[tuple[int, Failure]] = ()
    may_be_cut: bool = False

    def sizes(self, cut: Cut) -> Sequence[int]:
        """Return the size of each request in bytes."""
        around = sum(map(len, cut.pieces))
        if len(cut.slots) == 1:  # the usual case
            return [around + size for size in map(len, self.texts[cut.slots[0]])]
        sizes = [around] * len(self.numbers)
        for slot in cut.slots:
            sizes = list(map(add, sizes, map(len, self.texts[slot])))
        return sizes

    def bodies(self, cut: Cut) -> Iterator[bytes]:
        """Yield the request of each row."""
        first, *pieces = cut.pieces
        if len(pieces) == 1:  # the usual case
            [last] = pieces
            yield from [b"%b%b%b" % (first, text, last) for text in self.texts[cut.slots[0]]]
        else:
            yield from (self.body(cut, row) for row in range(len(self.numbers)))

    def body(self, cut: Cut, row: int) -> bytes:
        """Return the request of one row, by its place in the block."""
        return cut.filled({place: texts[row] for place, texts in self.texts.items()})

    def only(self, kept: Sequence[int], others: Sequence[tuple[int, Failure]]) -> RowBlock:
        """Return the block with only the rows at these places, and with these `others`."""
        if len(kept) == len(self.numbers):
            return replace(self, others=others)
        texts = {place: [column[row] for row in kept] for place, column in self.texts.items()}
        return RowBlock([self.numbers[row] for row in kept], texts, others, self.may_be_cut)


class RowBlocks(Struct, frozen=True):
    """A section of rows.jsonl, from row `first` on, for a pattern that needs the columns at `places`.

    Rows that are `left_out` are passed over. A row is not asked if it is `given_up`, or if all its cells in the columns
    `about` show nothing.
    """

    path: Path
    offset: int
    length: int
    first: int
    places: Collection[int]
    about: Sequence[int] | None
    left_out: Collection[int]
    given_up: Mapping[int, Failure]

    def __iter__(self) -> Iterator[RowBlock]:
        """Yield the rows in blocks of a few hundred."""
        needed = sorted({*self.places, *(self.about or ())})
        first, left = self.first, self.length
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left > 0 and (data := file.read(min(left, _CHUNK))):
                if data[-1:] != b"\n":
                    data += file.readline()
                left -= len(data)
                block = _texts(data, first, needed) or _one_by_one(data, first, needed)
                first += len(block.numbers) + len(block.others)
                yield self._asked(block)

    def _asked(self, block: RowBlock) -> RowBlock:
        """Return the block with the rows that are not asked among its `others`."""
        left_out, given_up = self.left_out, self.given_up
        nothing = _that_show_nothing(block.texts, self.about) if self.about is not None else ()
        if not (nothing or left_out or given_up):
            return block
        others = [each for each in block.others if each[0] not in left_out]
        kept = []
        for row, number in enumerate(block.numbers):
            if number in left_out:
                continue
            if number in given_up:
                others.append((number, given_up[number]))
            elif row in nothing:
                others.append((number, EMPTY))
            else:
                kept.append(row)
        return block.only(kept, others)


def _texts(data: bytes, first: int, needed: Sequence[int]) -> RowBlock | None:
    """Return the rows of these lines; None if a needed cell holds anything but text, or a line is no row."""
    try:
        records = _cells(data)
    except msgspec.ValidationError:
        return None  # a row that could not be read
    texts = {}
    for place in needed:
        column = [bytes(record[place]) for record in records]
        if set(map(_FIRST, column)) != {_QUOTE}:
            return None
        texts[place] = [text[1:-1] for text in column]
    return RowBlock(range(first, first + len(records)), texts, may_be_cut=_may_be_cut(data))


def _one_by_one(data: bytes, first: int, needed: Sequence[int]) -> RowBlock:
    """Return the rows of these lines, whatever they hold: a value other than text as JSON, None as an empty text."""
    numbers, others = [], []
    texts: dict[int, list[bytes]] = {place: [] for place in needed}
    for number, line in enumerate(data.rstrip(b"\n").split(b"\n"), start=first):
        record = rows.decode(line)
        if isinstance(record, BadRow):
            others.append((number, record.failure))
            continue
        numbers.append(number)
        for place, column in texts.items():
            column.append(_encode(cell_text(record[place]))[1:-1])
    return RowBlock(numbers, texts, others, may_be_cut=True)


def _may_be_cut(data: bytes) -> bool:
    if b"\xe2" not in data and b"\xc2" not in data:
        return False
    text = data.decode()
    return "\u2028" in text or "\u2029" in text or "\x85" in text


_SHOWN = frozenset((*range(0x21, 0x5C), *range(0x5D, 0x7F), *range(0xC3, 0xCB), 0xD0, 0xD1, *range(0xE4, 0xEA)))
"""First bytes of texts that certainly show something: ASCII except escapes, European letters, most of Chinese."""


def _that_show_nothing(texts: Mapping[int, Sequence[bytes]], about: Sequence[int]) -> Collection[int]:
    """Return the places of the rows whose cells in all these columns show nothing."""
    suspects: Iterable[int] = ()
    for number, place in enumerate(about):
        column = texts[place]
        if number == 0:
            if all(column) and _SHOWN.issuperset(map(_FIRST, column)):
                return ()
            suspects = range(len(column))
        suspects = [row for row in suspects if not column[row] or column[row][0] not in _SHOWN]
    return {row for row in suspects if all(rows.shows_nothing(_decode(b'"%b"' % texts[place][row])) for place in about)}
