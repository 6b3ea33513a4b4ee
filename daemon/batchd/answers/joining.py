"""Matching answers with rows: the outcome of each row asked.

Only the custom_ids decide. Counts, states and the order of lines are known to be wrong at times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..contracts import PromptBuilder
from ..domain.names import numbered
from ..model import Failure, Json, Response, Usage
from ..money.lanes import Lane
from ..money.spending import Bill, Tally
from .meaning import read_outcome, readable

_encoder = msgspec.json.Encoder()

NO_ANSWER = Failure("no_answer", "The service returned no answer for this row.", transient=True)


_NOTHING = msgspec.Raw(b"null")


class ResultLine(msgspec.Struct, array_like=True, frozen=True):
    """A row's lasting outcome, as a line of a part's results file. `answer` is in the builder's column order."""

    row: int
    ok: bool
    answer: list[Any] = []
    code: str | None = None
    message: str | None = None
    usage: tuple[int, int, int] | None = None
    raw: msgspec.Raw = _NOTHING

    @property
    def output_line(self) -> bytes | None:
        """The provider's own line, None if there was none that is JSON."""
        raw = bytes(self.raw)
        return None if raw == b"null" else raw

    def failure(self) -> Failure | None:
        """Why the row failed, None if it did not."""
        return None if self.ok else Failure(self.code or "error", self.message or "")


@dataclass(slots=True)
class Joined:
    """The outcomes of the rows of a part that were asked in one attempt. `leftovers` are to be asked again."""

    lines: list[ResultLine] = field(default_factory=list)
    leftovers: list[int] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    bill: Bill = field(default_factory=Bill)


def join(
    asked: Iterable[int],
    answers: Mapping[int, Sequence[bytes]],
    builder: PromptBuilder[Any],
    *,
    attempt: int,
    attempts: int,
    tally: Tally | None = None,
) -> Joined:
    """Settle the rows that were asked: `answers` holds every output line of each row, in order of arrival.

    The first usable answer of a row wins. A refusal that will not change fails the row by name; anything
    else, silence included, is a leftover while attempts last. The `tally` prices every answer, those that answered
    no row as well.
    """
    joined = Joined()
    last = attempt >= attempts
    tally = Tally(None, Lane.BATCH) if tally is None else tally
    for row in asked:
        best: ResultLine | None = None
        reason = NO_ANSWER
        lasting = False
        for line in answers.get(row, ()):
            said, raw = read_outcome(line)
            usage = said.usage if isinstance(said, Response) else None
            if best is None:
                read = _parse(said, builder) if isinstance(said, Response) else said
                if not isinstance(read, Failure):
                    best = _line(row, read, usage, raw)
                    if usage is not None:
                        tally.add(usage, wasted=False)
                    continue
                if not lasting:
                    reason, lasting = read, not read.transient
            if usage is not None:
                tally.add(usage, wasted=True)
        if best is not None:
            joined.lines.append(best)
        elif lasting or last:
            joined.lines.append(_failed(row, reason, answers.get(row, ()), attempt))
        else:
            joined.leftovers.append(row)
            joined.reasons[reason.code] += 1
    joined.bill = tally.bill()
    return joined


def _parse(response: Response, builder: PromptBuilder[Any]) -> list[Json] | Failure:
    """The answer in the builder's column order, checked to be one that can be stored."""
    try:
        read = builder.parse(response)
        if isinstance(read, Failure):
            return Failure(storable(read.code), storable(read.message), transient=bool(read.transient))
        answer = [read.get(column) for column in builder.columns]
        _encoder.encode(answer)
    except Exception as error:  # noqa: BLE001  # one bad row is one bad row, whatever the plugin makes of it
        kind = type(builder).__name__
        message = f"The answer could not be read by {kind}: {type(error).__name__}: {error}"
        return Failure("parse", storable(message))
    return answer


def read_again(row: int, raw: bytes, builder: PromptBuilder[Any]) -> tuple[ResultLine, Usage] | None:
    """An earlier answer as the outcome of a row that is not asked, and its bill then; None if it does not fit."""
    said, line = read_outcome(raw)
    if isinstance(said, Failure):
        return None
    read = _parse(said, builder)
    return None if isinstance(read, Failure) else (_line(row, read, None, line), said.usage or Usage())


def storable(text: object) -> str:
    """As text that UTF-8 can write, which half of a surrogate pair, as a cut answer may end in, is not."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _line(row: int, answer: list[Json], usage: Usage | None, raw: bytes) -> ResultLine:
    tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens) if usage else None
    return ResultLine(row, True, answer, usage=tokens, raw=msgspec.Raw(raw))


def _failed(row: int, reason: Failure, lines: Sequence[bytes], attempt: int) -> ResultLine:
    times = f" (asked {attempt} times)" if reason.transient and attempt > 1 else ""
    raw = next((msgspec.Raw(read) for line in lines if (read := readable(line)) is not None), _NOTHING)
    return ResultLine(row, False, code=reason.code, message=f"{reason.message}{times}", raw=raw)


def answer_columns(columns: Sequence[str], answers: Sequence[str]) -> list[str]:
    """The answer's columns as they appear beside the input's: one of the same name gets ` (2)`, ` (3)`, …"""
    taken, named = set(columns), []
    for answer in answers:
        name, number = answer, 1
        while name in taken:
            number += 1
            name = numbered(answer, number)
        taken.add(name)
        named.append(name)
    return named
