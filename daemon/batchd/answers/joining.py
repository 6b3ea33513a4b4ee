"""Matches answers with rows: gives the outcome of each row that was asked.

Only the custom_ids decide. Counts, states and the order of lines are wrong at some services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import msgspec

from ..contracts import PromptBuilder
from ..model import Failure, Json, Response, Usage
from ..money.lanes import Lane
from ..money.spending import Bill, Tally
from .corrections import AnswerFault, storable
from .meaning import Reading, answered_at, read_line, readable
from .usual_texts import UsualTexts, cells_of

_encoder = msgspec.json.Encoder()

NO_ANSWER = Failure("no_answer", "The service returned no answer for this row.", transient=True)


_NOTHING = msgspec.Raw(b"null")


class ResultLine(msgspec.Struct, array_like=True, frozen=True):
    """A row's final outcome, as a line of a part's results file. `answer` is in the builder's column order.

    `raw` is the provider's own line, or a reference to it: the name of a file of kept answers, where the line begins
    in it, and how long it is.

    An `empty` row was not asked, since the cells of its question are empty: it did not fail. A `cancelled` row has the
    answers of some steps of a chain; its job was cancelled before the last step.
    """

    row: int
    ok: bool
    answer: list[Any] = []
    code: str | None = None
    message: str | None = None
    usage: tuple[int, int, int] | None = None
    raw: msgspec.Raw = _NOTHING
    empty: bool = False
    cancelled: bool = False

    @property
    def skipped(self) -> bool:
        """Whether the row has no answer, and did not fail."""
        return self.empty or self.cancelled

    @property
    def output_line(self) -> bytes | None:
        """The provider's own line; None if there was none, or none in JSON, or if `raw` is a reference."""
        raw = bytes(self.raw)
        return None if raw == b"null" or raw[:1] == b"[" else raw

    def failure(self) -> Failure | None:
        """Why the row failed, None if it did not."""
        return None if self.ok else Failure(self.code or "error", self.message or "")


@dataclass(slots=True)
class Joined:
    """The outcomes of the rows of a part that were asked in one attempt.

    `leftovers` are the rows to ask again, `reasons` count why; `corrections` are for those that were answered in the
    wrong form.
    """

    lines: list[ResultLine] = field(default_factory=list)
    leftovers: list[int] = field(default_factory=list)
    corrections: dict[int, AnswerFault] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    bill: Bill = field(default_factory=Bill)


SAME_CAUSE = 3
"""If this many rows fail alike, that is no coincidence. If fewer do, each is asked until its attempts are used up."""

Planned = Callable[[Mapping[int, int]], Mapping[int, Usage]]
"""Returns the tokens that were planned for rows, given the size in bytes of each row's answer."""


def join(
    rows: Iterable[int],
    answers: Mapping[int, Sequence[bytes]],
    builder: PromptBuilder[Any],
    *,
    attempt: int,
    attempts: int,
    tally: Tally | None = None,
    planned: Planned | None = None,
    none_yet: bool = True,
) -> Joined:
    """Settle the `rows` that were asked. `answers` has all output lines of each row, in order of arrival.

    The first usable answer of a row wins. A refusal that is not transient fails the row; after anything else, or no
    answer at all, the row is left over until its attempts are used up. The `tally` prices every answer, used or not;
    an answer whose tokens the service did not count costs what was `planned`.

    `none_yet` says that no row of the part was answered in an earlier attempt. Then, if answers were paid for twice and
    all rows failed for the same reason, they are not asked again: another attempt would cost as much, for nothing.
    """
    joined = Joined()
    last = attempt >= attempts
    tally = Tally(None, Lane.BATCH) if tally is None else tally
    uncounted: list[tuple[int, Reading, bool]] = []
    corrections: dict[int, AnswerFault] = {}
    waiting: list[tuple[int, Failure]] = []
    paid = 0
    for row in rows:
        best: ResultLine | None = None
        reason = NO_ANSWER
        lasting = row_paid = False
        # A line that a service wrote twice was paid for once.
        for line in dict.fromkeys(answers.get(row, ())):
            reading = read_line(line)
            usage = reading.billed.whole() if reading.billed is not None else None
            row_paid |= reading.billed is not None
            wasted = True
            if best is None:
                answer = reading.failure or _parse(reading.outcome, builder)
                if not isinstance(answer, Failure):
                    best, wasted = _line(row, answer, usage, reading.line), False
                elif not lasting:
                    reason, lasting = answer, not answer.transient
                    if answer.correction and isinstance(reading.outcome, Response):
                        said = reading.outcome.answer or reading.outcome.thinking or ""
                        corrections[row] = AnswerFault.of(said, answer.correction)
            if usage is not None:
                tally.add(usage, wasted=wasted, at=answered_at(line) if tally.by_hour else None)
            elif reading.billed is not None:
                uncounted.append((row, reading, wasted))
        paid += row_paid
        if best is not None:
            joined.lines.append(best)
        elif lasting or last:
            joined.lines.append(_failed(row, reason, answers.get(row, ()), attempt, builder.columns))
        else:
            waiting.append((row, reason))
    joined.reasons.update(reason.code for _, reason in waiting)
    if (
        none_yet
        and attempt > 1
        and not joined.lines
        and paid == len(waiting) >= SAME_CAUSE
        and len(joined.reasons) == 1
    ):
        joined.lines += [
            _failed(row, reason, answers.get(row, ()), attempt, builder.columns) for row, reason in waiting
        ]
        joined.reasons.clear()
    else:
        joined.leftovers += [row for row, _ in waiting]
        joined.corrections = {row: corrections[row] for row in joined.leftovers if row in corrections}
    _add_planned(uncounted, planned, tally)
    joined.bill = tally.bill()
    return joined


def join_usual(
    usual: UsualTexts, builder: PromptBuilder[Any], tally: Tally, at: Callable[[int], None]
) -> tuple[list[ResultLine], list[int]]:
    """Return the outcomes of rows with one usual answer each, and the rows whose answers `join` must read.

    The outcomes are those of `join`, but read many at once. `at` is called with each row before the builder reads it.
    """
    values = cells_of(usual, builder, at)
    left: list[int] = []
    if None in values:
        left = [row for row, answer in zip(usual.rows, values, strict=True) if answer is None]
        usual = usual.without(frozenset(left))
        values = [answer for answer in values if answer is not None]
    every = (usual.rows, repeat(True), values, repeat(None), repeat(None), usual.tokens, usual.lines)
    lines: list[ResultLine] = list(map(ResultLine, *every))
    given, cached, written = map(sum, zip(*usual.tokens, strict=True)) if lines else (0, 0, 0)
    tally.add_many(len(lines), Usage(given, cached, written))
    return lines, left


def _add_planned(uncounted: Sequence[tuple[int, Reading, bool]], planned: Planned | None, tally: Tally) -> None:
    """Add answers that the service billed but whose tokens it did not count. None of them counts as free."""
    if not uncounted:
        return
    sizes = {row: _size(reading) for row, reading, _ in uncounted}
    figures = planned(sizes) if planned is not None else {}
    for row, reading, wasted in uncounted:
        assert reading.billed is not None
        figure = figures.get(row) or Usage(0, 0, sizes[row])
        at = answered_at(reading.line) if tally.by_hour else None
        tally.add(reading.billed.at_least(figure), wasted=wasted, estimated=True, at=at)


def answer_size(line: bytes) -> int:
    """Return how many bytes of answer a line holds."""
    return _size(read_line(line))


def _size(reading: Reading) -> int:
    outcome = reading.outcome
    if isinstance(outcome, Failure):
        return len(reading.line)
    texts = (outcome.text, outcome.thinking, *map(str, outcome.tool_arguments))
    return sum(len(text.encode("utf-8", "replace")) for text in texts if text)


def _parse(response: Response | Failure, builder: PromptBuilder[Any]) -> list[Json] | Failure:
    """Return the answer in the builder's column order, or a Failure. The answer can be stored."""
    if isinstance(response, Failure):
        return response
    try:
        parsed = builder.parse(response)
        if isinstance(parsed, Failure):
            return Failure(
                storable(parsed.code),
                storable(parsed.message),
                transient=bool(parsed.transient),
                correction=storable(parsed.correction),
                answer={column: storable(value) for column, value in parsed.answer.items()},
            )
        answer = [parsed.get(column) for column in builder.columns]
        _encoder.encode(answer)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any exception of a plugin fails this row alone
        kind = type(builder).__name__
        message = f"The answer could not be read by {kind}: {type(error).__name__}: {error}"
        return Failure("parse", storable(message))
    return answer


def read_again(row: int, raw: bytes, builder: PromptBuilder[Any]) -> tuple[ResultLine, Usage] | None:
    """An earlier answer as the outcome of a row, and the tokens billed for it then; None if it cannot be used."""
    reading = read_line(raw)
    if reading.failure is not None or isinstance(reading.outcome, Failure):
        return None
    answer = _parse(reading.outcome, builder)
    if isinstance(answer, Failure):
        return None
    return _line(row, answer, None, reading.line), reading.outcome.usage or Usage()


def _line(row: int, answer: list[Json], usage: Usage | None, raw: bytes) -> ResultLine:
    tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens) if usage else None
    return ResultLine(row, True, answer, usage=tokens, raw=msgspec.Raw(raw))


def _failed(row: int, reason: Failure, lines: Sequence[bytes], attempt: int, columns: Sequence[str] = ()) -> ResultLine:
    times = f" (asked {attempt} times)" if reason.transient and attempt > 1 else ""
    raw = next((msgspec.Raw(read) for line in lines if (read := readable(line)) is not None), _NOTHING)
    kept = [reason.answer.get(column) for column in columns] if reason.answer else []
    return ResultLine(row, False, kept, code=reason.code, message=f"{reason.message}{times}", raw=raw)
