"""Checks a file of batch requests for all that a service would refuse, in memory that does not grow with the file.

The faults of single lines are written to a temporary file as they appear. Faults in comparison with other lines
(another model, a custom_id that was used before) are known only at the end, from names that are stored on disk. A line
with a fault of its own is not compared, since it would not be sent.
"""

from __future__ import annotations

import codecs
import heapq
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import msgspec

from ..errors import BatchdError
from ..model import Failure, Limits
from ..store.duplicate_finder import DuplicateFinder
from . import rules as requests
from .json_lines import BLANKS, MARKED, on_one_line, read_json_line
from .rules import Fault

MAX_KINDS = 1_000
"""The most endpoints and models that are counted. The file's main one is certainly among the first so many."""
_STRANGE = -1
_PADDING = 1_024
"""Bytes around a request that are not part of it: blanks, a byte order mark, the line end."""
_HEAD = 4_096
REPORT_EVERY = 1 << 20

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

_encode = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


class Fix(StrEnum):
    """What a repair does about a bad line."""

    REWRITE = "rewrite"  # only the formatting of the request is wrong
    DROP = "drop"  # the line can be removed without a loss
    RENAME = "rename"  # another custom_id would fix it
    LEAVE_OUT = "leave_out"


class Finding(msgspec.Struct, array_like=True, frozen=True):
    """The faults of a line (counted from 1), and what a repair does about them."""

    line: int
    faults: list[Fault]
    fix: Fix


class Line(NamedTuple):
    """A line of the file: its number from 1, its offset and length in bytes, and its request.

    `text` is without blanks, byte order mark and line end; None if the line is too long for any service.
    """

    number: int
    place: int
    size: int
    text: bytes | None
    marked: bool
    ending: bytes


@dataclass(slots=True)
class Summary:
    """The result of a check. `faults` counts lines by code; `faulty` has faults of the whole file, `notes` hints."""

    lines: int = 0
    size: int = 0
    good: int = 0
    bad: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    faulty: list[Fault] = field(default_factory=list)
    model: str | None = None
    url: str | None = None

    @property
    def fine(self) -> bool:
        """Whether a service would accept the file unchanged."""
        return not self.bad and not self.faulty


CRLF, SEPARATORS = "crlf", "line_separators"


class RequestFile:
    """A file to check. It is never changed here; BatchdError is raised if something else changes it meanwhile."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        *,
        allowed: Collection[str] = (),
        max_kinds: int = MAX_KINDS,
        report_every: int = REPORT_EVERY,
    ) -> None:
        self.path = path
        self.limits = limits
        self.summary = Summary()
        self._allowed = allowed
        self._max_kinds = max_kinds
        self._report_every = report_every
        self._longest = min(limits.max_line_bytes or limits.max_bytes, limits.max_bytes)
        self._file: IO[bytes] = path.open("rb")
        self._own: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the others
        self.names = DuplicateFinder()
        self._stamp = self._now()
        self._kinds: dict[tuple[str, str], int] = {}
        self._main = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._file, self._own, self.names):
            each.close()

    def look(self, progress: Callable[[int], object] = lambda _: None) -> Summary:
        """Check the whole file, once. Calls `progress` from time to time with the number of bytes read since."""
        summary = self.summary
        summary.size = os.fstat(self._file.fileno()).st_size
        encoding = self._no_text()
        if encoding is not None:
            summary.faulty.append(requests.no_text(encoding))
            self.names.find()
            return summary
        counts: Counter[int] = Counter()
        blank = 0
        for line in self.lines(progress):
            summary.lines += 1
            faults, fix, named = self._judged(line)
            if line.text == b"":
                blank += 1
            if faults:
                self._own.write(_encode(Finding(line.number, faults, fix)) + b"\n")
            if named is not None:
                custom_id, pair = named
                kind = self._kind(pair)
                counts[kind] += 1
                self.names.add(line.number, custom_id, kind, line.place)
        self._compare(counts)
        self._judge_whole(summary.lines - blank)
        self.check_unchanged()
        return summary

    def lines(self, progress: Callable[[int], object] = lambda _: None) -> Iterator[Line]:
        """Every line from the first, split at newlines alone: a string may contain U+2028 and similar characters."""
        file, most = self._file, self._longest + _PADDING
        file.seek(0)
        number = place = reported = 0
        while raw := file.readline(most):
            number += 1
            size = len(raw)
            whole = True
            while not raw.endswith(b"\n") and (more := file.readline(most)):
                whole, size, raw = False, size + len(more), more
            yield _line(number, place, size, raw) if whole else Line(number, place, size, None, False, b"")
            place += size
            if place - reported >= self._report_every:
                progress(place - reported)
                reported = place
        progress(place - reported)

    def findings(self) -> Iterator[Finding]:
        """Every bad line, by number. May be called again."""
        findings = heapq.merge(self._wrong_by_themselves(), self._of_other_kinds(), self._duplicates(), key=_number)
        for line, same in groupby(findings, _number):
            first, *more = same
            # Of lines with a fault of their own, only those with a byte order mark are compared. Then the comparison
            # decides the fix.
            yield Finding(line, [*first.faults, *more[0].faults], more[0].fix) if more else first

    def check_unchanged(self) -> None:
        """Raises BatchdError if the file has changed since it was opened."""
        if self._now() != self._stamp:
            raise BatchdError(f"{self.path} changed while it was being read. Nothing was written; try it again.")

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def _no_text(self) -> str | None:
        head = self._file.read(_HEAD)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return f"{name} text"
        return "UTF-16 text, or no text at all" if b"\x00" in head else None

    def _kind(self, pair: tuple[str, str]) -> int:
        """Return the number of a pair of endpoint and model."""
        kind = self._kinds.get(pair)
        if kind is None:
            kind = _STRANGE if len(self._kinds) >= self._max_kinds else self._kinds.setdefault(pair, len(self._kinds))
        return kind

    def _judged(self, line: Line) -> tuple[list[Fault], Fix, tuple[str, tuple[str, str]] | None]:
        """The faults of a single line, what a repair does about them, and what to compare it by with other lines."""
        text = line.text
        if text is None or len(text) >= self._longest:  # the newline counts
            return [requests.too_long(line.size, self._longest)], Fix.LEAVE_OUT, None
        record = read_json_line(text)
        if isinstance(record, Failure):
            fix = Fix.LEAVE_OUT if text else Fix.DROP
            return [Fault(record.code, record.message)], fix, None
        faults = requests.request_faults(record, allowed=self._allowed)
        if faults:
            return faults, Fix.LEAVE_OUT, None
        if line.ending == b"\r\n":
            self.summary.notes[CRLF] += 1
        if not text.isascii() and on_one_line(text) != text:
            self.summary.notes[SEPARATORS] += 1
        named = record["custom_id"], (record["url"], record["body"]["model"])
        return ([_MARKED], Fix.REWRITE, named) if line.marked else ([], Fix.REWRITE, named)

    def _compare(self, counts: Counter[int]) -> None:
        """Find the endpoint and model of most lines, and the duplicates among these lines."""
        summary = self.summary
        # If several pairs are equally frequent, the one that came first counts.
        counts.pop(_STRANGE, None)
        self._main = counts.most_common(1)[0][0] if counts else 0
        if counts:
            summary.url, summary.model = next(pair for pair, kind in self._kinds.items() if kind == self._main)
        self.names.find(self._main)
        for finding in self.findings():
            summary.bad += 1
            summary.faults.update(fault.code for fault in finding.faults)
        summary.good = summary.lines - summary.bad

    def _judge_whole(self, count: int) -> None:
        faulty, limits = self.summary.faulty, self.limits
        if count == 0:
            faulty.append(requests.EMPTY)
        if count > limits.max_requests:
            faulty.append(requests.too_many(count, limits.max_requests))
        if self.summary.size > limits.max_bytes:
            faulty.append(requests.too_large(self.summary.size, limits.max_bytes))

    def _wrong_by_themselves(self) -> Iterator[Finding]:
        self._own.flush()
        place = 0
        while True:
            # Others may read the same file object, so each keeps its own position.
            self._own.seek(place)
            line = self._own.readline()
            if not line:
                return
            place += len(line)
            yield _decode(line)

    def _of_other_kinds(self) -> Iterator[Finding]:
        url, model = self.summary.url or "", self.summary.model or ""
        for number, place in self.names.others(self._main):
            record = self._record(place)
            faults = []
            if record["url"] != url:
                faults.append(requests.mismatched_url(record["url"], url))
            if record["body"]["model"] != model:
                faults.append(requests.mismatched_model(record["body"]["model"], model))
            yield Finding(number, faults, Fix.LEAVE_OUT)

    def _duplicates(self) -> Iterator[Finding]:
        same_as = lru_cache(maxsize=8)(lambda place: _canonical(self._record(place)))
        for duplicate in self.names.duplicates(self._main):
            same = _canonical(self._record(duplicate.place)) == same_as(duplicate.first_place)
            fault = requests.duplicate_fault(duplicate.name, f"line {duplicate.first:,}", same=same)
            yield Finding(duplicate.number, [fault], Fix.DROP if same else Fix.RENAME)

    def _record(self, place: int) -> dict[str, Any]:
        """The request of a line, read again."""
        raw, descriptor = b"", self._file.fileno()
        while b"\n" not in raw and (more := os.pread(descriptor, len(raw) or _HEAD, place + len(raw))):
            raw += more
        record = read_json_line(_line(0, place, 0, raw.partition(b"\n")[0]).text or b"")
        if isinstance(record, Failure):
            self.check_unchanged()
            raise BatchdError(f"Two reads of {self.path} differ. Copy the file to another disk and try again there.")
        return record


_MARKED = Fault(MARKED.code, MARKED.message)
_decode = msgspec.json.Decoder(Finding).decode
_number = attrgetter("line")


def _line(number: int, place: int, size: int, raw: bytes) -> Line:
    bare = raw.removeprefix(codecs.BOM_UTF8)
    ending = b"\r\n" if raw.endswith(b"\r\n") else b"\n" if raw.endswith(b"\n") else b""
    return Line(number, place, size, bare.strip(BLANKS), len(bare) != len(raw), ending)
