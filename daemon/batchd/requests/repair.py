"""Repairs a file of requests: writes the good requests to one file, or to numbered parts that a service accepts.

A repair never changes the content of a request and invents nothing. It changes formatting only: byte order marks, line
ends, blank lines, separators at which some readers split lines. It removes a line that repeats an earlier one. It
leaves out a line that uses an earlier custom_id for another request, or gives it a new custom_id on demand.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import IO, Any, Self

import msgspec
from msgspec import Struct

from ..files import fsync_folder, move_without_replacing
from ..model import Limits
from .file import CRLF, SEPARATORS, Finding, Fix, Line, RequestFile
from .json_lines import BYTE_ORDER_MARK, on_one_line
from .rules import MAX_CUSTOM_ID

BLANK, DOUBLE, RENAMED = "blank_line", "double", "renamed"
LINES_NAMED = 20
"""Line numbers stored for each kind of change; the list of bad lines has all of them."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Written(Struct, frozen=True):
    """A file that was written."""

    path: Path
    requests: int
    size: int


@dataclass(slots=True)
class Repaired:
    """The files written, and what differs from the original: `changed` counts lines by the change, `left_out` by the
    code of the reason; `numbers` has the first few line numbers for each change or reason.
    """

    written: list[Written] = field(default_factory=list)
    changed: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, list[int]] = field(default_factory=dict)

    def note(self, counter: Counter[str], what: str, line: int) -> None:
        """Count a line."""
        counter[what] += 1
        numbers = self.numbers.setdefault(what, [])
        if len(numbers) < LINES_NAMED:
            numbers.append(line)


def repair(
    file: RequestFile,
    target: Path,
    *,
    split: int | None = None,
    rename: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> Repaired:
    """Write the good requests of a file that was checked, completely or not at all. FileExistsError if a target exists.

    Writes several parts if the limits require it, or if `split` is given: the most requests of one part.
    """
    refuse_to_replace(target)
    done = Repaired()
    if not file.summary.lines:
        return done  # empty, or not text
    if rename:
        file.names.prepare_search()
    findings = file.findings()
    finding = next(findings, None)
    with _Parts(target, file.limits, split) as parts:
        for line in file.lines(progress):
            here = finding if finding is not None and finding.line == line.number else None
            text = _repaired(file, line, here, done, rename=rename)
            if text is not None:
                parts.add(text + b"\n")
            if here is not None:
                finding = next(findings, None)
        file.check_unchanged()
        done.written = parts.publish()
    return done


def refuse_to_replace(target: Path) -> None:
    """Raises FileExistsError if the target, or a part of that name, exists already."""
    for existing in (target, *sorted(target.parent.glob(f"{escape(target.stem)}.part-*{escape(target.suffix)}"))):
        if os.path.lexists(existing):
            raise FileExistsError(errno.EEXIST, "This exists already, and is not overwritten", str(existing))


def _repaired(file: RequestFile, line: Line, finding: Finding | None, done: Repaired, *, rename: bool) -> bytes | None:
    """The request to write, None if it is left out."""
    text = line.text
    if finding is not None and finding.fix is Fix.DROP:
        done.note(done.changed, DOUBLE if text else BLANK, line.number)
        return None
    if finding is not None and finding.fix is Fix.RENAME and rename and text:
        renamed = _renamed(file, text, line.number)
        if renamed is not None:
            done.note(done.changed, RENAMED, line.number)
            text, finding = renamed, None
    if text is None or (finding is not None and finding.fix is not Fix.REWRITE):
        # A repair removes a byte order mark: a line is left out for what else is wrong with it.
        codes = [fault.code for fault in finding.faults] if finding is not None else []
        done.note(done.left_out, next((code for code in codes if code != BYTE_ORDER_MARK), ""), line.number)
        return None
    if line.marked:
        done.note(done.changed, BYTE_ORDER_MARK, line.number)
    if line.ending == b"\r\n":
        done.note(done.changed, CRLF, line.number)
    straight = on_one_line(text)
    if straight != text:
        done.note(done.changed, SEPARATORS, line.number)
    return straight


def _renamed(file: RequestFile, text: bytes, number: int) -> bytes | None:
    """The request with a custom_id that no other line has; the rest stays byte for byte. None if there is none."""
    fields: dict[str, Any] = _fields.decode(text)
    name = msgspec.json.decode(fields["custom_id"])
    tries = (f"{name}-line{number}{more}" for more in ("", *(f"-{again}" for again in range(2, 100))))
    fresh = next((each for each in tries if not file.names.has(each)), None)
    if fresh is None or len(fresh) > MAX_CUSTOM_ID:
        return None
    return _encode({**fields, "custom_id": fresh})


class _Parts:
    """Drafts in a hidden folder beside the target, each within the limits; they get their names at the end."""

    def __init__(self, target: Path, limits: Limits, split: int | None) -> None:
        self._target = target
        self._numbered = split is not None
        self._requests_most = min(split or limits.max_requests, limits.max_requests)
        self._bytes_most = limits.max_bytes
        self._folder = target.with_name(f".{target.name}.draft")
        self._drafts: list[Written] = []
        self._file: IO[bytes] | None = None
        self._requests = self._size = 0

    def __enter__(self) -> Self:
        # Left behind by a run that was killed.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._file is not None:
                self._file.close()  # which writes what is left, and fails once more on a full disk
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, line: bytes) -> None:
        """Write a line, newline included."""
        if self._requests >= self._requests_most or self._size + len(line) > self._bytes_most:
            self._end()
        if self._file is None:
            self._file = self._draft().open("xb", buffering=1 << 18)
        self._file.write(line)
        self._requests += 1
        self._size += len(line)

    def publish(self) -> list[Written]:
        """Give the files their names, never over another file; if one cannot get its name, none does."""
        self._end()
        numbered = self._numbered or len(self._drafts) > 1
        places = [self._place(number) for number in range(1, len(self._drafts) + 1)] if numbered else [self._target]
        done: list[Written] = []
        try:
            for draft, place in zip(self._drafts, places, strict=False):
                move_without_replacing(draft.path, place)
                done.append(Written(place, draft.requests, draft.size))
        except BaseException:
            for each in done:
                with contextlib.suppress(OSError):
                    each.path.unlink()
            fsync_folder(self._target.parent)
            raise
        return done

    def _place(self, number: int) -> Path:
        digits = max(3, len(str(len(self._drafts))))
        return self._target.with_name(f"{self._target.stem}.part-{number:0{digits}}{self._target.suffix}")

    def _draft(self) -> Path:
        return self._folder / str(len(self._drafts) + 1)

    def _end(self) -> None:
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._drafts.append(Written(self._draft(), self._requests, self._size))
        self._file = None
        self._requests = self._size = 0
