"""Writes the request file of a part, and counts what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import msgspec

from ...answers.corrections import storable
from ...answers.joining import ResultLine
from ...files import replacing
from ...model import Failure, RequestId
from ...money import tokens
from ...requests.json_lines import on_one_line
from ...requests.rules import BodyRules, too_long, writes
from .pattern import Cut, Pattern, RowBlock
from .plan_task import EMPTY, PlanDone, PlanTask
from .repeats import Repeats
from .reuse import Keyed, Recalled, key_record

FRAME_BYTES = 200
"""The most bytes around a body in its line."""
_LONGER = 3
"""How many times as long a text becomes, at most, when the line separators in it are escaped."""


class PartRequests:
    """The requests of a part so far, its counts, and the outcomes of rows without a request."""

    def __init__(self, task: PlanTask, file: IO[bytes], stack: ExitStack) -> None:
        self.outcomes: list[ResultLine] = []
        self._task = task
        self._file = file
        self._stack = stack
        self._keys: IO[bytes] | None = None
        self._asked: set[bytes] = set()
        self._ahead = b'{"custom_id":"' + RequestId.beginning(task.job).encode()
        self._behind = b'","method":"POST","url":' + msgspec.json.encode(task.endpoint) + b',"body":'
        self._rules = BodyRules(task.endpoint, task.common.get("model"))
        self._writes = writes(task.endpoint)
        self._count = tokens.counter(task.model)
        self._done = PlanDone()

    def add(self, number: int, what: bytes | Failure | Keyed | Recalled) -> None:
        """Add the next row: its request, or its outcome without one."""
        if type(what) is bytes:
            self._ask(number, what)
        elif type(what) is Keyed:
            body, key = what
            if key in self._asked or self._ask(number, body):
                if self._keys is None:
                    assert self._task.reuse is not None, "only a job that reuses answers has keys"
                    # A file for each part costs time, so create it only if there is a key.
                    self._keys = self._stack.enter_context(replacing(Path(self._task.reuse.keys)))
                self._keys.write(key_record(number, key))
                self._asked.add(key)
        elif isinstance(what, Recalled):
            self.outcomes.append(what.outcome)
            self._done.reused += 1
            self._done.saved += what.usage
        elif what is EMPTY:
            self.outcomes.append(ResultLine(number, False, code=EMPTY.code, message=EMPTY.message, empty=True))
            self._done.empty += 1
        elif isinstance(what, Failure):
            self._fail(number, storable(what.code), storable(what.message))

    def add_many(self, block: RowBlock, pattern: Pattern, repeats: Repeats | None) -> None:
        """Add the next rows, whose requests have this pattern. With `repeats`, the same request is asked once."""
        for number, failure in block.others:
            self.add(number, failure)
        if not block.numbers:
            return
        sizes = block.sizes(pattern.body)
        may_fail = self._may_fail(block, pattern, max(sizes))
        if repeats is not None and (may_fail or not repeats.all_new(block)):
            repeats.asked(block, self._ask)
        elif may_fail:
            for number, body in zip(block.numbers, block.bodies(pattern.body), strict=True):
                self._ask(number, body)
        else:
            self._ask_many(block, pattern, sizes)

    def _ask_many(self, block: RowBlock, pattern: Pattern, sizes: Sequence[int]) -> None:
        """Write the requests, none of which breaks a rule."""
        lines = self._lines(block, pattern.body)
        if block.may_be_cut:
            lines = on_one_line(lines)
        self._file.write(lines)
        self._count.many(sizes, lambda row: block.body(pattern.body, row))
        self._add(len(block.numbers), len(lines), pattern.most)

    def _may_fail(self, block: RowBlock, pattern: Pattern, longest: int) -> bool:
        """Whether a request may break a rule, so that each must be checked by itself."""
        longest = longest * (_LONGER if block.may_be_cut else 1) + FRAME_BYTES + len(self._behind)
        if self._task.max_line_bytes is not None and longest > self._task.max_line_bytes:
            return True
        return not pattern.may_be_empty and not all(all(block.texts[slot]) for slot in pattern.body.slots)

    def _lines(self, block: RowBlock, cut: Cut) -> bytes:
        """Return the lines of the rows, joined at once: one by one takes twice as long."""
        begin, *pieces = [on_one_line(piece) for piece in cut.pieces]
        pieces = [self._behind + begin, *pieces]
        pieces[-1] += b"}\n" + self._ahead
        width = 2 * len(pieces)
        flat = [each for piece in pieces for each in (b"", piece)] * len(block.numbers)
        flat[::width] = [b"%d" % number for number in block.numbers]
        for place, slot in enumerate(cut.slots, start=1):
            flat[2 * place :: width] = block.texts[slot]
        flat[-1] = flat[-1].removesuffix(self._ahead)
        return self._ahead + b"".join(flat)

    def _ask(self, number: int, body: bytes) -> bool:
        """Write the request. If it breaks a rule, fail the row and return False."""
        line = b"%b%d%b%b}\n" % (self._ahead, number, self._behind, on_one_line(body))
        fault, most = self._rules.read(body)
        if self._task.max_line_bytes is not None and len(line) > self._task.max_line_bytes:
            fault = too_long(len(line), self._task.max_line_bytes, picture=b"data:image/" in body)
        if fault is not None:
            self._fail(number, fault.code, fault.message)
            return False
        self._file.write(line)
        self._count(body)
        self._add(1, len(line), most)
        return True

    def _add(self, requests: int, size: int, most: int) -> None:
        """Count requests of `size` bytes together, whose answers may have `most` tokens each."""
        done = self._done
        done.requests += requests
        done.size += size
        done.output_tokens += most * requests
        done.unlimited += requests * (self._writes and not most)

    def _fail(self, number: int, code: str, message: str) -> None:
        self.outcomes.append(ResultLine(number, False, code=code, message=message))

    def finished(self) -> PlanDone:
        """The result, once all rows are added."""
        done, correction = self._done, self._task.correction
        done.input_tokens = round(self._count.total * correction)
        done.failed = len(self.outcomes) - done.reused - done.empty
        done.new_results = bool(self.outcomes)
        done.counted_tokens = self._count.total
        done.longest = round(self._count.longest * correction)
        return done
