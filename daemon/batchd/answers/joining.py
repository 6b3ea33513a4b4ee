"""Matching answers with rows: what a provider's output line means, and the outcome of each row asked.

Only the custom_ids decide. Counts, states and the order of lines are known to be wrong at times.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..contracts import PromptBuilder
from ..domain.names import numbered
from ..model import Failure, Json, RequestId, Response, Usage
from ..money.lanes import Lane
from ..money.spending import Bill, Tally
from .usual_lines import usual_response

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"((?:[^"\\]|\\.)*)"')
_AGAIN = frozenset({408, 409, 425, 429})
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

NO_ANSWER = Failure("no_answer", "The service returned no answer for this row.", transient=True)


class Head(msgspec.Struct):
    """As much of an output line as is needed to know whose it is; the rest is passed over quickly."""

    custom_id: str


_head_decoder = msgspec.json.Decoder(Head)


def owner(line: bytes) -> str | None:
    """The custom_id of an output line, even of one that is not valid JSON; None if it names none."""
    try:
        return _head_decoder.decode(line).custom_id
    except msgspec.ValidationError:
        return None  # JSON that names no id where it belongs; one somewhere inside of it is another's
    except _UNREADABLE:
        match = _CUSTOM_ID.search(line)
        return match[1].decode("utf-8", "replace") if match else None


def request_of(line: bytes) -> RequestId | None:
    """Which request an output line answers, or an input line makes; None if that is not one of ours."""
    custom_id = owner(line)
    return None if custom_id is None else RequestId.read(custom_id)


def outcome(line: bytes) -> Response | Failure:
    """What an output line says: a billed answer, or why there is none."""
    return _outcome(line)[0]


def _outcome(line: bytes) -> tuple[Response | Failure, bytes]:
    """The same with the line as every JSON parser reads it; unchanged if none can."""
    usual = usual_response(line)
    if usual is not None:
        return usual, line
    try:
        return _of_record(_decoder.decode(line)), line
    except _UNREADABLE:
        repaired = repair(line)
    if repaired is None:
        message = "The service's answer to this row is not valid JSON."
        return Failure("unreadable_line", message, transient=True), line
    return _of_record(_decoder.decode(repaired)), repaired


_lenient = json.JSONDecoder(strict=False, parse_constant=lambda _: None)


def repair(line: bytes) -> bytes | None:
    """The line as JSON, if it is JSON but for what some services write into it; None if it cannot be read.

    NaN and infinity become null, half of a surrogate pair becomes U+FFFD. Such an answer was paid: to ask
    again would pay for another one that may be no better.
    """
    try:
        record = _lenient.decode(line.decode("utf-8", "surrogatepass"))
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        repaired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        _decoder.decode(repaired)
    except (ValueError, RecursionError):  # of which msgspec's and Unicode's are kinds
        return None
    return repaired


def _of_record(record: Json) -> Response | Failure:
    if not isinstance(record, dict):
        return Failure("unreadable_line", "The service's answer to this row is no JSON object.", transient=True)
    response, error = record.get("response"), record.get("error")
    if isinstance(response, dict):
        return _of_response(response, error)
    return _of_error(error)


def _of_response(response: Mapping[str, Json], error: Json) -> Response | Failure:
    status, body = response.get("status_code"), response.get("body")
    if not isinstance(status, int) or isinstance(status, bool):
        # Some gateways leave the status out; a body that answers speaks for itself.
        status = 200 if _answers(body) else 0
    if 200 <= status < 300:
        if isinstance(body, dict) and _answers(body):
            return Response(body, status)
        if isinstance(body, dict) and body.get("error"):
            return _failure(body["error"], status, transient=True)
        return Failure("empty_answer", "The service answered this row with an empty body.", transient=True)
    # Only a client's error is a refusal; a redirect, or the 0 of a request that never ran, is something in between.
    transient = status in _AGAIN or not 400 <= status < 500
    inner = body.get("error") if isinstance(body, dict) else None
    return _failure(inner or error or body, status, transient=transient)


def _of_error(error: Json) -> Failure:
    # Without a response nothing ran: expired, cancelled, or a fault of the service. Asking again may help.
    transient = error.get("transient", True) is not False if isinstance(error, dict) else True
    if error is None:
        message = "The service's answer to this row holds neither answer nor error."
        return Failure("empty_answer", message, transient=True)
    return _failure(error, None, transient=transient)


def _failure(error: Json, status: int | None, *, transient: bool) -> Failure:
    fallback = "error" if status is None else f"http_{status}"
    with_status = "" if status is None else f" with status {status}"
    unsaid = f"The service failed this row{with_status} and gave no reason."
    if isinstance(error, dict):
        code = error.get("code") or error.get("type") or fallback
        message = error.get("message") or unsaid
    else:
        code, message = fallback, error or unsaid
    return Failure(str(code)[:100], str(message)[:2_000], transient=transient)


def _answers(body: Json) -> bool:
    """Whether a body holds an answer of any of the endpoints: chat, completions, responses, embeddings."""
    if not isinstance(body, dict):
        return False
    for key in ("choices", "output", "data", "results"):
        answers = body.get(key)
        if answers and isinstance(answers, list):
            return True
    return False


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
            said, raw = _outcome(line)
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
    said, readable = _outcome(raw)
    if isinstance(said, Failure):
        return None
    read = _parse(said, builder)
    return None if isinstance(read, Failure) else (_line(row, read, None, readable), said.usage or Usage())


def storable(text: object) -> str:
    """As text that UTF-8 can write, which half of a surrogate pair, as a cut answer may end in, is not."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _line(row: int, answer: list[Json], usage: Usage | None, raw: bytes) -> ResultLine:
    tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens) if usage else None
    return ResultLine(row, True, answer, usage=tokens, raw=msgspec.Raw(raw))


def _failed(row: int, reason: Failure, lines: Sequence[bytes], attempt: int) -> ResultLine:
    times = f" (asked {attempt} times)" if reason.transient and attempt > 1 else ""
    raw = next((msgspec.Raw(read) for line in lines if (read := _readable(line)) is not None), _NOTHING)
    return ResultLine(row, False, code=reason.code, message=f"{reason.message}{times}", raw=raw)


def _readable(line: bytes) -> bytes | None:
    try:
        _decoder.decode(line)
    except _UNREADABLE:
        return repair(line)
    return line


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
