"""What a line of a provider's output means: whose it is, and whether it is an answer, or why there is none.

The one place that says so, for the daemon and for plugins.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping

import msgspec

from ..model import Failure, Json, RequestId, Response, Result
from .usual_lines import usual_response

_decoder = msgspec.json.Decoder()
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"((?:[^"\\]|\\.)*)"')
_AGAIN = frozenset({408, 409, 425, 429})
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_output_line(line: bytes) -> Result | None:
    """What a line of an output or error file in OpenAI's batch format says; None if it is nobody's.

    Read as batchd itself reads what `download` has written, so that both always agree: an answer is billed and
    readable, a redirect or a server's error may pass (`transient`), a client's error will not. A line that is no
    valid JSON is repaired where that is possible, and else a transient failure of the row that it names.
    """
    line = stripped(line)
    custom_id = owner(line)
    return None if custom_id is None else Result(custom_id, outcome(line))


def stripped(line: bytes) -> bytes:
    """A line of a file without what may stand around it: a byte order mark, white space, the line's end."""
    return line.removeprefix(codecs.BOM_UTF8).strip(b"\r\n \t")


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
    return read_outcome(line)[0]


def read_outcome(line: bytes) -> tuple[Response | Failure, bytes]:
    """The same, with the line as every JSON parser reads it; unchanged if none can."""
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


def readable(line: bytes) -> bytes | None:
    """The line as every JSON parser reads it; None if none can."""
    try:
        _decoder.decode(line)
    except _UNREADABLE:
        return repair(line)
    return line
