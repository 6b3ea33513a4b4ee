"""What can be saved of a file of requests, rewritten: one file, or numbered parts that a service takes.

What a request asks is never changed, and nothing is made up. Only how it is written changes: marks, line ends, blank
lines, separators that some readers cut lines at. A line that says the same as an earlier one goes; one that uses an
earlier line's custom_id for something else stays out, or gets another custom_id if that is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from ..files import fsync_folder, move_without_replacing
from ..model import Limits
from .file import CRLF, SEPARATORS, Finding, Fix, Line, RequestFile
from .json_lines import BYTE_ORDER_MARK, on_one_line
from .rules import MAX_CUSTOM_ID

BLANK, DOUBLE, RENAMED = "blank_line", "double", "renamed"
LINES_NAMED = 20
"""Numbers of lines that are kept of each change; they are all in the list of bad lines."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written."""

    path: Path
    requests: int
    size: int


@dataclass(slots=True)
class Repaired:
    """What was written, and how it differs from the file: `changed` and `left_out` count lines by what was done, or
    by the code of the reason; `numbers` are those of the first few.
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
    told: Callable[[int], object] = lambda _: None,
) -> Repaired:
    """Write what is good of a file that was looked at. Whole or not at all; FileExistsError where something is there.

    Parts of at most `split` requests if it is given, and in any case where the limits ask for parts.
    """
    refuse_to_replace(target)
    done = Repaired()
    if not file.summary.lines:
        return done  # empty, or no text
    if rename:
        file.names.prepare_search()
    findings = file.findings()
    finding = next(findings, None)
    with _Parts(target, file.limits, split) as parts:
        for line in file.lines(told):
            found = finding if finding is not None and finding.line == line.number else None
            text = _saved(file, line, found, done, rename=rename)
            if text is not None:
                parts.add(text + b"\n")
            if found is not None:
                finding = next(findings, None)
        file.check_unchanged()
        done.written = parts.publish()
    return done


def refuse_to_replace(target: Path) -> None:
    """FileExistsError if the target, or a part of that name, is there already."""
    for there in (target, *sorted(target.parent.glob(f"{_literal(target.stem)}.part-*{_literal(target.suffix)}"))):
        if os.path.lexists(there):
            raise FileExistsError(errno.EEXIST, "This is there already, and is not written over", str(there))


def _literal(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)


def _saved(file: RequestFile, line: Line, found: Finding | None, done: Repaired, *, rename: bool) -> bytes | None:
    """The request as it is written, None if it is not."""
    text = line.text
    if found is not None and found.fix is Fix.DROP:
        done.note(done.changed, DOUBLE if text else BLANK, line.number)
        return None
    if found is not None and found.fix is Fix.RENAME and rename and text:
        renamed = _renamed(file, text, line.number)
        if renamed is not None:
            done.note(done.changed, RENAMED, line.number)
            text, found = renamed, None
    if text is None or (found is not None and found.fix is not Fix.REWRITE):
        done.note(done.left_out, found.faults[0].code if found else "", line.number)
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
    """The request under a custom_id that no other line has; all else of it stays byte for byte."""
    fields: dict[str, Any] = _fields.decode(text)
    name = msgspec.json.decode(fields["custom_id"])
    tries = (f"{name}-line{number}{more}" for more in ("", *(f"-{again}" for again in range(2, 100))))
    fresh = next((each for each in tries if not file.names.has(each)), None)
    if fresh is None or len(fresh) > MAX_CUSTOM_ID:
        return None
    return _encode({**fields, "custom_id": fresh})


class _Parts:
    """Drafts in a hidden folder beside the target, each under its limits; they get their names at the end."""

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
        # What a run that was killed has left behind.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
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
        """Let the files appear, never over another; if one cannot, none does."""
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
