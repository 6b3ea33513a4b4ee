"""The reader `json`: a list of objects, alone or under a key, such as `{"data": [...]}`; or objects without a list.

The file is read in pieces. All objects up to a comma between two objects are decoded at once, which takes a tenth of
the time of decoding one by one. Only if that fails is the end of the next object looked for letter by letter.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import IO

import msgspec

from batchd import BadRow, Dialect, FileRefused, Json, Reader, Settings, Source, read_json_line, read_json_together

from ..texts.content import begin_json, refuse_other_kinds
from .bad_lines import bad_line
from .jsonl_reader import MAX_LINE, JsonlReader, add_columns, has_nameless, refuse_sparse, rows_of

_PIECE = 1 << 18
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.?)*+("|\Z)|[{}\[\]]', re.DOTALL)
"""A string, perhaps cut off where the text read so far ends; or a bracket."""
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_decode_list = msgspec.json.Decoder(list[dict[str, Json]]).decode
_BLANK = b" \t\r\n"
_NO_BLANK = re.compile(rb"[^ \t\r\n]")
_END = re.compile(rb"[,\]}\s]")
_TAIL, _TRIED = 65_536, 8
"""How many bytes at the end of the read text are searched for commas between objects; how many commas are tried."""
_AS_LIST = 'Write it as a list of objects, such as [{"review": "Good."}], and drop it again.'


class JsonReader(Reader[Settings]):
    """Reads `.json`. The columns are all keys of all objects, in order of first appearance.

    A file of JSON Lines with this name is read as JSON Lines.
    """

    suffixes = (".json",)
    max_object = MAX_LINE
    piece_size = _PIECE

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._facts: dict[str, Json] = {}

    def describe(self) -> Mapping[str, Json]:
        """The format, the encoding, and the key of the list if it was under one."""
        return dict(self._facts)

    def dialect(self) -> Dialect:
        return Dialect(form="json")

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        return chain.from_iterable(self.read_many(source))

    def read_many(self, source: Source) -> Iterator[Sequence[Sequence[str] | Sequence[Json] | BadRow]]:
        """Reads the file twice: for the columns, then for the rows."""
        if self._is_lines(source):
            reader = JsonlReader(JsonlReader.Settings())
            self._facts = {"format": "jsonl", **reader.describe()}
            yield from ([record] for record in reader.read(source))
            return
        columns: dict[str, None] = {}
        count = keys = 0
        bad: BadRow | None = None
        document = Document(self.max_object, self.piece_size)
        for records in document.records(source):
            if isinstance(records, BadRow):
                count += 1
                bad = bad or records
            else:
                count += len(records)
                keys += sum(map(len, records))
                add_columns(columns, records, "objects")
        if count == 0:
            raise FileRefused("empty", f"The file has no objects in it. {_AS_LIST}")
        if not columns and bad is not None:
            raise FileRefused("no_rows", f"The list has no object that can be read. {bad.failure.message} {_AS_LIST}")
        if not columns:
            raise FileRefused("no_columns", f"No object of the file has a key. {_AS_LIST}")
        refuse_sparse(columns, count, keys, "objects")
        self._facts = {"format": "json", "encoding": "utf-8", **({"list": document.key} if document.key else {})}
        names = list(columns)
        yield [names]
        for records in document.records(source):
            yield [records] if isinstance(records, BadRow) else [*rows_of(records, names)]

    def _is_lines(self, source: Source) -> bool:
        """Whether the file is JSON Lines: its first line is an object, and another object begins after it."""
        with source.open() as file:
            head = refuse_other_kinds(file).removeprefix(codecs.BOM_UTF8).lstrip(_BLANK)
            file.seek(0)
            if not head.startswith(b"{"):
                return False
            line = file.readline(self.max_object).removeprefix(codecs.BOM_UTF8).strip(_BLANK)
            return line.startswith(b"{") and isinstance(read_json_line(line), dict) and bool(_next(file) == b"{")


def _next(file: IO[bytes]) -> bytes:
    """The next byte that is not blank."""
    while piece := file.read(_PIECE):
        if stripped := piece.lstrip(_BLANK):
            return stripped[:1]
    return b""


class Document:
    """The records of a file. `key` is the key of its list, known after reading; None if the list is under none."""

    def __init__(self, max_object: int, piece: int = _PIECE) -> None:
        self.key: str | None = None
        self.one_by_one = 0
        """How many objects were looked for letter by letter."""
        self._piece = piece
        self._max = max_object
        self._begin()
        self._whole: dict[int, int] = {}
        """Where objects that could be decoded together begin, and their length. The second reading does not examine
        them again."""

    def _begin(self) -> None:
        self.key = None
        self._left = b""
        self._at = self._before = self._number = 0

    def records(self, source: Source) -> Iterator[list[dict[str, Json]] | BadRow]:
        """The objects of the list, as many at once as were decoded together. An item that is no object is a BadRow."""
        self._begin()
        with source.open() as file:
            begin_json(file, "JSON is")
            first = self._look(file)
            if first == b"[":
                self._take()
                yield from self._list(file)
            elif first == b"{":
                while self.key is None and self._look(file) == b"{":  # `jq` writes one after the other
                    self._take()
                    yield from self._object(file)
            elif not first:
                raise FileRefused("empty", f"The file is empty. {_AS_LIST}")
            else:
                raise FileRefused("no_rows", f"This file is no list of objects. {_AS_LIST}")
            if self._look(file):
                raise _broken("has something behind its end")

    def _object(self, file: IO[bytes]) -> Iterator[list[dict[str, Json]] | BadRow]:
        """The objects of the list that is a member of this object; without such a list, the object itself as a row."""
        if self._look(file) == b"}":
            self._take()
            return
        members: list[bytes] = []
        size, plain = 0, False
        while True:
            key = self._value(file)
            if self._look(file) != b":":
                raise _broken("has a key without a colon behind it")
            self._take()
            if self._look(file) == b"[" and self._holds_objects(file):
                if self.key is not None:
                    raise FileRefused(
                        "several_lists",
                        f"The file has several lists of objects: “{self.key}” and “{_text(key)}”. Write each as a file "
                        "of its own, and drop those.",
                    )
                self.key = _text(key)
                self._take()
                yield from self._list(file)
            else:
                value = self._value(file)
                size += len(key) + len(value) + 2
                if self.key is None and size <= self._max:
                    members.append(b"%b:%b" % (key, value))
                    plain = plain or value[:1] not in {b"[", b"{"}
            mark = self._look(file)
            self._take()
            if mark == b"}":
                break
            if mark != b"," or self._look(file) != b'"':
                raise _broken("has no comma between two keys")
        if self.key is None:
            if not plain or size > self._max:
                raise FileRefused("no_rows", f"The file is one object without a list of objects in it. {_AS_LIST}")
            self._number += 1
            record = self._one(b"{%b}" % b",".join(members))
            yield record if isinstance(record, BadRow) else [record]

    def _holds_objects(self, file: IO[bytes]) -> bool:
        """Whether an object begins after the bracket that is next."""
        place = 1
        while True:
            found = _NO_BLANK.search(self._left, self._at + place)
            if found is not None:
                return found[0] == b"{"
            place = len(self._left) - self._at
            if not self._more(file):
                return False

    def _list(self, file: IO[bytes]) -> Iterator[list[dict[str, Json]] | BadRow]:
        """The objects up to the bracket that ends the list."""
        if self._look(file) == b"]":
            self._take()
            return
        while True:
            if len(self._left) - self._at < self._piece and self._more(file):
                many = self._many()
                if many is not None:
                    yield many
                    continue
            self._number += 1
            self.one_by_one += 1
            text = self._value(file)
            record = self._one(text) if text.startswith(b"{") else self._bad(text, "is not an object")
            yield record if isinstance(record, BadRow) else [record]
            mark = self._look(file)
            self._take()
            if mark == b"]":
                return
            if mark != b",":
                raise _broken(f"has no comma behind object {self._number:,}")

    def _many(self) -> list[dict[str, Json]] | None:
        """The objects up to one of the last commas between two objects; None if they cannot be decoded together.

        The comma that is found may be inside an object or a string, but then the text up to it does not decode.
        """
        place = self._before + self._at
        if place in self._whole:
            end = self._at + self._whole[place]
            between = _BETWEEN.match(self._left, end - 1)
            with suppress(ValueError):  # a program may have written into the file meanwhile
                again = _decode_list(b"[%b]" % self._left[self._at : end])
                if between is not None:
                    self._at = between.end() - 1
                    self._number += len(again)
                    return again
        boundaries = list(_BETWEEN.finditer(self._left, max(self._at, len(self._left) - _TAIL)))
        for between in boundaries[: -_TRIED - 1 : -1]:
            text = self._left[self._at : between.start() + 1]
            records = read_json_together(b"[%b]" % text, lines=False)
            if records is None:
                continue
            if has_nameless(text, records):
                return None
            self._whole[place] = len(text)
            self._at = between.end() - 1
            self._number += len(records)
            return records
        return None

    def _one(self, text: bytes) -> dict[str, Json] | BadRow:
        record = read_json_line(text)
        if not isinstance(record, dict):
            return bad_line(_on_one_line(text), record.code, f"Object {self._number:,}: {record.message}")
        return self._bad(text, "has a key without a name") if "" in record else record

    def _bad(self, text: bytes, how: str) -> BadRow:
        reason = f"Item {self._number:,} of the list {how}. Write each row as one object in braces."
        return bad_line(_on_one_line(text[:1_000]), "invalid_json_line", reason)

    def _value(self, file: IO[bytes]) -> bytes:
        """Take the next value, and return it as it is written."""
        first = self._look(file)
        if first not in (b"{", b"[", b'"'):
            while (end := _END.search(self._left, self._at)) is None:
                if len(self._left) - self._at > 10_000 or not self._more(file):
                    raise _broken("breaks off, or is no JSON")
            if end.start() == self._at:
                raise _broken("has a comma or a bracket where a value should be")
            return self._cut(end.start() - self._at)
        depth = place = 0
        while True:
            for token in _TOKENS.finditer(self._left, self._at + place):
                letter = token[0][:1]
                if letter == b'"' and not token[1]:
                    break  # the string goes on in text that has not been read yet
                place = token.end() - self._at
                if letter in b"{[":
                    depth += 1
                elif letter in b"}]":
                    depth -= 1
                if depth == 0:
                    return self._cut(place)
            if len(self._left) - self._at > self._max:
                raise FileRefused(
                    "too_long",
                    f"Object {self._number:,} of the file is longer than {self._max:,} bytes, or a quote in it is "
                    "never closed. Correct it, and drop the file again.",
                )
            if not self._more(file):
                raise _broken("breaks off in the middle")

    def _look(self, file: IO[bytes]) -> bytes:
        """The next byte that is not blank, without taking it; empty at the end."""
        while True:
            found = _NO_BLANK.search(self._left, self._at)
            if found is not None:
                self._at = found.start()
                return found[0]
            self._at = len(self._left)
            if not self._more(file):
                return b""

    def _take(self) -> None:
        self._at += 1

    def _cut(self, size: int) -> bytes:
        text = self._left[self._at : self._at + size]
        self._at += size
        return text

    def _more(self, file: IO[bytes]) -> bool:
        # At least as much as is left, so that a long object is not searched again and again.
        piece = file.read(max(self._piece, len(self._left) - self._at))
        self._before += self._at
        self._left, self._at = self._left[self._at :] + piece, 0
        return bool(piece)


def _on_one_line(text: bytes) -> bytes:
    """Put the text on one line, so that it can be returned as a line of JSON Lines."""
    return b" ".join(text.split())


def _text(key: bytes) -> str:
    try:
        return msgspec.json.decode(key, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _broken("has a key that is no text") from None


def _broken(how: str) -> FileRefused:
    return FileRefused("json", f"The file is not valid JSON: it {how}. Correct it, or save it again, and drop that.")
