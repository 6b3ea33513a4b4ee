"""Reads a line of a provider's output: the request that it answers, and the answer, or why there is none.

The daemon and the plugins both use it.
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
    """The Result in a line of an output or error file in OpenAI's batch format; None if it names no custom_id.

    batchd reads the output of `download` in the same way, so both always agree. A readable answer is a Response. Any
    error is a Failure: transient for a redirect or a server's error, final for a client's error. A line that is not
    valid JSON is repaired if possible; if not, it is a transient Failure of the row that it names.
    """
    line = stripped(line)
    custom_id = owner(line)
    return None if custom_id is None else Result(custom_id, outcome(line))


def stripped(line: bytes) -> bytes:
    """A line of a file without a byte order mark, surrounding white space and the line end."""
    return line.removeprefix(codecs.BOM_UTF8).strip(b"\r\n \t")


class Head(msgspec.Struct):
    """The custom_id of an output line alone; the decoder skips the rest quickly."""

    custom_id: str


_head_decoder = msgspec.json.Decoder(Head)


def owner(line: bytes) -> str | None:
    """The custom_id of an output line, even of one that is not valid JSON; None if it names none."""
    try:
        return _head_decoder.decode(line).custom_id
    except msgspec.ValidationError:
        return None  # JSON without an id in its place; do not take one from further inside
    except _UNREADABLE:
        match = _CUSTOM_ID.search(line)
        return match[1].decode("utf-8", "replace") if match else None


def request_of(line: bytes) -> RequestId | None:
    """The request that an output line answers, or that an input line makes; None if it is not one of ours."""
    custom_id = owner(line)
    return None if custom_id is None else RequestId.read(custom_id)


def outcome(line: bytes) -> Response | Failure:
    """The billed answer in an output line, or why there is none."""
    return read_outcome(line)[0]


def read_outcome(line: bytes) -> tuple[Response | Failure, bytes]:
    """The same, and the line repaired if its JSON is not valid; unchanged if it cannot be read."""
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
    """The line as valid JSON, without what some services write against the standard; None if it cannot be read.

    NaN and infinity become null, half of a surrogate pair becomes U+FFFD. The answer has been paid for: asking again
    would cost as much, and may give no better one.
    """
    try:
        record = _lenient.decode(line.decode("utf-8", "surrogatepass"))
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        repaired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        _decoder.decode(repaired)
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are subclasses of ValueError
        return None
    return repaired


def _of_record(record: Json) -> Response | Failure:
    if not isinstance(record, dict):
        return Failure("unreadable_line", "The service's answer to this row is not a JSON object.", transient=True)
    response, error = record.get("response"), record.get("error")
    if isinstance(response, dict):
        return _of_response(response, error)
    return _of_error(error)


def _of_response(response: Mapping[str, Json], error: Json) -> Response | Failure:
    status, body = response.get("status_code"), response.get("body")
    if not isinstance(status, int) or isinstance(status, bool):
        # Some gateways leave the status out; a body with an answer means success.
        status = 200 if _answers(body) else 0
    if 200 <= status < 300:
        if isinstance(body, dict) and _answers(body):
            return Response(body, status)
        if isinstance(body, dict) and body.get("error"):
            return _failure(body["error"], status, transient=True)
        return Failure("empty_answer", "The service answered this row with an empty body.", transient=True)
    # Only a 4xx is a refusal; after a redirect, or the 0 of a request that never ran, asking again may help.
    transient = status in _AGAIN or not 400 <= status < 500
    inner = body.get("error") if isinstance(body, dict) else None
    return _failure(inner or error or body, status, transient=transient)


def _of_error(error: Json) -> Failure:
    # Without a response nothing ran: expired, cancelled, or a fault of the service. Asking again may help.
    transient = error.get("transient", True) is not False if isinstance(error, dict) else True
    if error is None:
        message = "The service's answer to this row has neither an answer nor an error."
        return Failure("empty_answer", message, transient=True)
    return _failure(error, None, transient=transient)


def _failure(error: Json, status: int | None, *, transient: bool) -> Failure:
    fallback = "error" if status is None else f"http_{status}"
    with_status = "" if status is None else f" with status {status}"
    without_reason = f"The service failed this row{with_status} and gave no reason."
    if isinstance(error, dict):
        code = error.get("code") or error.get("type") or fallback
        message = error.get("message") or without_reason
    else:
        code, message = fallback, error or without_reason
    return Failure(str(code)[:100], str(message)[:2_000], transient=transient)


def _answers(body: Json) -> bool:
    """Whether a body has an answer of one of the endpoints: chat, completions, responses, embeddings."""
    if not isinstance(body, dict):
        return False
    for key in ("choices", "output", "data", "results"):
        answers = body.get(key)
        if answers and isinstance(answers, list):
            return True
    return False


def readable(line: bytes) -> bytes | None:
    """The line, repaired if its JSON is not valid; None if it cannot be read."""
    try:
        _decoder.decode(line)
    except _UNREADABLE:
        return repair(line)
    return line
