"""The files of a part: runs of lines, and results."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec

from ..answers.corrections import AnswerFault
from ..answers.joining import ResultLine
from ..files import replacing
from ..model import RequestId

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ResultLine)
_TOGETHER = 100
"""How many outcomes are encoded together: each may hold a long answer."""
_BLOCK = 1 << 16
_corrections = msgspec.json.Decoder(dict[int, AnswerFault])


class _Request(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw


_decode_request = msgspec.json.Decoder(_Request).decode


def lines_of(path: Path, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
    """The lines of a section of a file, split at newlines alone: lines may contain U+2028 and similar characters."""
    with path.open("rb") as file:
        file.seek(offset)
        left = length
        for line in file:
            if left is not None:
                if left <= 0:
                    return
                left -= len(line)
            yield line


def requests_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the row and body of each request in a part's request file, in order; nothing if there is no file."""
    try:
        for line in lines_of(path):
            request = _decode_request(line)
            asked = RequestId.read(request.custom_id)
            if asked is not None:
                yield asked.row, bytes(request.body)
    except FileNotFoundError:
        return


def blocks_of(path: Path, offset: int, length: int) -> Iterator[bytes]:
    """Yield a section of a file in blocks of whole lines. A line is never split, however long it is."""
    with path.open("rb") as file:
        file.seek(offset)
        left, rest = length, b""
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            left -= len(block)
            end = block.rfind(b"\n") + 1
            if end:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
        if rest:
            yield rest


def read_results(path: Path) -> Iterator[ResultLine]:
    """The outcomes in a results file, in row order."""
    for line in lines_of(path):
        yield _decoder.decode(line)


def result_lines_of(path: Path, rows: Container[int]) -> Iterator[ResultLine]:
    """Yield the outcomes of these rows. The other lines, most of a file, are not decoded."""
    for line in lines_of(path):
        if int(line[1 : line.index(b",")]) in rows:
            yield _decoder.decode(line)


def decode_results(path: Path) -> dict[int, ResultLine]:
    """The outcomes in a results file by row."""
    return {result.row: result for result in read_results(path)}


def write_results(path: Path, results: Iterable[ResultLine]) -> None:
    """Write a results file, complete or not at all."""
    lines = iter(results)
    with replacing(path) as file:
        while some := list(islice(lines, _TOGETHER)):
            file.write(_encoder.encode_lines(some))


def read_corrections(path: str | None) -> dict[int, AnswerFault]:
    """Return the corrections of rows that are asked again; empty if there is no file."""
    return _corrections.decode(Path(path).read_bytes()) if path is not None and Path(path).exists() else {}


def write_corrections(path: str, corrections: Mapping[int, AnswerFault]) -> None:
    """Write the corrections, complete or not at all. If there are none, delete the file."""
    if corrections:
        with replacing(Path(path)) as file:
            file.write(_encoder.encode(corrections))
    else:
        Path(path).unlink(missing_ok=True)
