"""Looks through the answers of a batch once: how many requests they answer, and where the lines of each part are.

The index is stored beside the answers, so that they are not looked through again when they are distributed.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from ...answers.meaning import Head, owner, stripped
from ...answers.unknown_calls import is_unknown_call
from ...files import replacing
from ...model import MAX_DIGITS, RequestId
from ...sending.missing_answers import Arrived
from ..kept_answers import AnswerPlaces
from .answer_lines import MIN_LINE, ReadLimits, answer_lines, is_whole_object

EXAMPLES = 3
STRAYS_KEPT = 10_000
"""Enough to see what a service did; more could fill the memory."""
_BEGINNINGS = (b'{"id":"', b'{"custom_id":"', b'{"id": "', b'{"custom_id": "')
_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.json.Decoder(Head).decode


class Rows(Struct, frozen=True):
    """The rows of one part that a batch asks."""

    job: str
    first: int
    rows: int


class BatchIndex(msgspec.Struct):
    """What is in the answers of a batch. `parts` has the places of each part's lines, in the order of the parts.

    The places are in the file itself or, if the file is `odd`, in a copy with a line for each answer.
    """

    answers: int
    arrived: Arrived
    parts: list[AnswerPlaces]
    strays: AnswerPlaces
    odd: bool = False


class _Stored(msgspec.Struct):
    stamp: tuple[int, int, int]
    asked: list[tuple[str, int, int]]
    index: BatchIndex


_decode = msgspec.msgpack.Decoder(_Stored).decode


def orderly(answers: Path) -> Path:
    """Return the path of the copy of odd answers, which has one line for each."""
    return answers.with_name("orderly.jsonl")


def stored_index(answers: Path) -> Path:
    """Return the path of the stored index."""
    return answers.with_suffix(".index")


def index_answers(
    answers: Path, asked: Sequence[Rows], requests: str | None, *, strays_kept: int = STRAYS_KEPT
) -> BatchIndex:
    """Look through the answers to these rows, unless there is a stored index. `requests` is the file that was sent."""
    status = answers.stat()
    stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
    wanted = [(each.job, each.first, each.rows) for each in asked]
    stored = _read(stored_index(answers))
    if stored is not None and stored.stamp == stamp and stored.asked == wanted:
        return stored.index
    index = _looked_through(answers, _Index(asked, strays_kept), odd=False)
    if index is None:
        with replacing(orderly(answers)) as copy:
            for line in answer_lines(answers, ReadLimits.of(requests)):
                copy.write(line + b"\n")
        index = _looked_through(orderly(answers), _Index(asked, strays_kept), odd=True)
        assert index is not None, "lines that were put in order are not looked at for that again"
    content = _encode(_Stored(stamp, wanted, index))
    # The stored index only saves time: what a crash or a full disk leaves of it is not read.
    with suppress(OSError):
        stored_index(answers).write_bytes(zlib.crc32(content).to_bytes(4, "big") + content)
    return index


def _read(path: Path) -> _Stored | None:
    with suppress(FileNotFoundError):
        content = path.read_bytes()
        if len(content) > 4 and zlib.crc32(content[4:]) == int.from_bytes(content[:4], "big"):
            return _decode(content[4:])
    return None


def _looked_through(path: Path, index: _Index, *, odd: bool) -> BatchIndex | None:
    """Return None if the file must be put in order first. If it was, it is `odd`: its lines are taken as they are."""
    at, end = 0, MIN_LINE if not odd else -1
    with path.open("rb", buffering=1 << 18) as file:
        for whole in iter(partial(file.readline, end), b""):
            line, start = whole, at
            at += len(whole)
            if not odd and whole.endswith(b"}\n") and whole.startswith(_BEGINNINGS):
                try:
                    # As `owner` does, for nearly all lines. What decodes is one object, whatever is in its texts.
                    custom_id = _head(whole).custom_id
                except (ValueError, RecursionError):
                    pass
                else:
                    index.add(custom_id, start, len(whole) - 1)
                    continue
            line = whole.removesuffix(b"\n") if odd else stripped(whole)
            if not line:
                continue
            if not odd and (len(whole) == MIN_LINE or not is_whole_object(line)):
                return None
            index.add(owner(line), start + whole.index(line), len(line), unknown=is_unknown_call(line))
    return index.whole(path, odd=odd)


class _Index:
    """The index while the file is looked through."""

    def __init__(self, asked: Sequence[Rows], strays_kept: int) -> None:
        self._parts = [_Part(each) for each in asked]
        by_job: dict[str, list[_Part]] = defaultdict(list)
        for part in sorted(self._parts, key=lambda part: part.first):
            by_job[part.job].append(part)
        self._by_job = {job: ([part.first for part in parts], parts) for job, parts in by_job.items()}
        self._strays, self._strays_kept = _Part(Rows("", 0, 0)), strays_kept
        self._answers = self._unreadable = self._foreign = 0
        self._examples: list[str] = []
        self._last: tuple[int, int, bool, bool] = (0, 0, False, False)
        self._now = self._parts[0] if self._parts else self._strays

    def add(self, custom_id: str | None, start: int, size: int, *, unknown: bool = False) -> None:
        """Add a line, which names this request, if any. It may stand for a call of `unknown` outcome."""
        part = self._now
        number = custom_id[part.before :] if custom_id is not None and custom_id.startswith(part.beginning) else ""
        if number.isdigit() and number.isascii() and number[0] != "0" and len(number) <= MAX_DIGITS:
            # The same result as below, but faster: nearly all lines are of the same part as the line before.
            row = int(number)
            found = part if part.first <= row < part.end else self._part(RequestId(part.job, row))
        else:
            request = RequestId.read(custom_id) if custom_id is not None else None
            row = request.row if request is not None else 0
            found = self._part(request)
        if found is not None:
            new = not found.seen[row - found.first]
            found.seen[row - found.first] = 1
            found.add(row, start, size)
            self._answers += not unknown
            self._last = (start, size, new, True)
            return
        self._last = (start, size, False, custom_id is not None)
        if len(self._strays.rows) < self._strays_kept:
            self._strays.add(0, start, size)
        if custom_id is None:
            self._unreadable += 1
        else:
            self._foreign += 1
            if len(self._examples) < EXAMPLES:
                self._examples.append(custom_id[:80])

    def _part(self, request: RequestId | None) -> _Part | None:
        if request is None:
            return None
        job, row = request
        part = self._now
        if part.job != job or not part.first <= row < part.end:
            if job not in self._by_job:
                return None
            firsts, parts = self._by_job[job]
            part = parts[max(bisect_right(firsts, row) - 1, 0)]
            if not part.first <= row < part.end:
                return None
            self._now = part
        return part

    def whole(self, path: Path, *, odd: bool) -> BatchIndex:
        """Return the index of this file."""
        start, size, new, named = self._last
        cut = (new or not named) and size > 0 and _is_cut(path, start, size)
        answered = sum(sum(part.seen) for part in self._parts) - (cut and new)
        unreadable = self._unreadable - (cut and not named)
        arrived = Arrived(answered, unreadable, self._foreign, tuple(self._examples), cut)
        return BatchIndex(self._answers, arrived, [part.places for part in self._parts], self._strays.places, odd)


class _Part:
    """The lines of a part."""

    def __init__(self, rows: Rows) -> None:
        self.job, self.first, self.end = rows.job, rows.first, rows.first + rows.rows
        self.beginning = RequestId.beginning(rows.job)
        self.before = len(self.beginning)
        self.seen = bytearray(rows.rows)
        self.rows, self._starts, self._sizes = array("Q"), array("Q"), array("Q")

    def add(self, row: int, start: int, size: int) -> None:
        self.rows.append(row)
        self._starts.append(start)
        self._sizes.append(size)

    @property
    def places(self) -> AnswerPlaces:
        return AnswerPlaces(self.rows.tobytes(), self._starts.tobytes(), self._sizes.tobytes())


def _is_cut(path: Path, start: int, size: int) -> bool:
    """Whether the line was cut off before its end."""
    with path.open("rb") as file:
        file.seek(start)
        line = file.read(size)
    try:
        msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        return "truncated" in str(error)
    return False
