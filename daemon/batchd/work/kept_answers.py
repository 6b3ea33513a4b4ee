"""Downloaded answers, kept beside the results of their job: they are read in place, not copied.

A part has an index of the places of its answers, and an outcome refers to its line by the name of the file and the
place in it. The file is never changed, and is deleted with the job.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import msgspec

from ..answers.joining import ResultLine
from ..files import replacing

_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder
_encode_lines = msgspec.json.Encoder().encode_lines
_BUFFER = 1 << 18
MOST_OPEN = 16


class AnswerPlaces(msgspec.Struct):
    """Lines of a file, in order of arrival: the row, the offset and the length in bytes of each."""

    rows: bytes = b""
    starts: bytes = b""
    sizes: bytes = b""

    def __len__(self) -> int:
        return len(self.rows) // 8

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(*(array("Q", each) for each in (self.rows, self.starts, self.sizes)), strict=True)


class PartIndex(msgspec.Struct):
    """The places of a part's answers in `file`, which is beside the part's results."""

    file: str
    places: AnswerPlaces


_decode_index = _decode(PartIndex).decode
_decode_place = msgspec.json.Decoder(tuple[str, int, int]).decode


def index_of(answers: Path) -> Path:
    """Return the path of a part's index. `answers` is where the part's answers would be if they were copied."""
    return answers.with_suffix(".index")


def write_index(target: Path, index: PartIndex) -> None:
    """Write the index, complete or not at all. The caller syncs the folder, once for all parts of a batch."""
    with replacing(target, sync_folder=False) as file:
        file.write(_encode(index))


def indexed_answers(answers: Path) -> Iterator[tuple[int, bytes, msgspec.Raw]] | None:
    """Row, line and reference of each answer of a part, in order of arrival; None if its answers were copied."""
    try:
        index = _decode_index(index_of(answers).read_bytes())
    except FileNotFoundError:
        return None
    return _lines(answers.with_name(index.file), index)


def _lines(path: Path, index: PartIndex) -> Iterator[tuple[int, bytes, msgspec.Raw]]:
    places = list(index.places)
    # Encode all references at once: one by one, that takes as long as reading the lines.
    references = _encode_lines([(index.file, start, size) for _, start, size in places]).split(b"\n")
    raw, at = msgspec.Raw, 0
    with path.open("rb", buffering=_BUFFER) as file:
        for (row, start, size), reference in zip(places, references, strict=False):
            if start != at:
                file.seek(start)
            line = file.read(size)
            at = start + size
            yield row, line, raw(reference)


class KeptAnswers:
    """Reads the lines that outcomes refer to, from the files in a folder. Must be closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def read(self, raw: msgspec.Raw) -> bytes | None:
        """Return the provider's own line for an outcome with this `raw`; None if it has none, or the file is gone."""
        said = bytes(raw)
        if said[:1] != b"[":
            return None if said == b"null" else said
        try:
            name, start, size = _decode_place(said)
        except msgspec.ValidationError:
            return None  # earlier versions stored a list that a service had written in place of an object
        descriptor = self._open.get(name)
        if descriptor is None:
            if len(self._open) >= MOST_OPEN:
                self.close()
            try:
                descriptor = self._open[name] = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        line = os.pread(descriptor, size, start)
        return line if len(line) == size else None

    def whole(self, outcome: ResultLine) -> ResultLine:
        """Return the outcome with its line in place of a reference, so that another job can have it."""
        line = self.read(outcome.raw)
        return outcome if line is None else msgspec.structs.replace(outcome, raw=msgspec.Raw(line))


def whole_outcomes(results: Path, outcomes: Iterable[ResultLine]) -> Iterator[ResultLine]:
    """Yield outcomes of this results file with their lines in place of references, for another job."""
    with KeptAnswers(results.parent) as kept:
        for each in outcomes:
            yield kept.whole(each)
