"""Reads a line of a provider's output: the request that it answers, and the answer, or why there is none.

The daemon and the plugins both use it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from ..bodies.content import has_answer
from ..bodies.finishing import Ending, ending_of
from ..bodies.forms import known_form
from ..bodies.streams import joined_chunks
from ..bodies.usage import NOTHING, BilledTokens, count_tokens
from ..model import Failure, Json, RequestId, Response, Result, quoted
from ..values import replace
from .usual_lines import usual_response

_decoder = msgspec.json.Decoder()
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"((?:[^"\\]|\\.)*)"')
_ANSWERED_AT = re.compile(rb'"error":null,"at":(\d+)\}\s*$')
_AGAIN = frozenset({408, 409, 425, 429, 498})
_ANSWERED = re.compile(rb'"status_code"\s*:\s*"?2\d\d\b')
_THREE_DIGITS = re.compile(r"\s*([1-5][0-9]{2})\b")
_STATUS_NAMES = ("status_code", "statusCode", "status", "http_status")
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


def answered_at(line: bytes) -> float | None:
    """When a live call was answered, in a line of our own journal (seconds since 1970); None if it does not say."""
    match = _ANSWERED_AT.search(line)
    return None if match is None else float(match[1])


def request_of(line: bytes) -> RequestId | None:
    """The request that an output line answers, or that an input line makes; None if it is not one of ours."""
    custom_id = owner(line)
    return None if custom_id is None else RequestId.read(custom_id)


class Reading(Struct, frozen=True):
    """What an output line means. `line` is repaired if its JSON is not valid; unchanged if it cannot be read.

    `outcome` is the answer that the service billed, or why there is none. `failure` is why no row can use it: it is
    transient where asking again may help. `billed` is what the service counted for it, None if it billed nothing.
    `refused` says that the service named an error in place of an answer, with this HTTP `status` and request `param`
    if it told them.
    """

    line: bytes
    outcome: Response | Failure
    failure: Failure | None
    billed: BilledTokens | None
    refused: bool = False
    status: int | None = None
    param: str | None = None


def read_line(line: bytes) -> Reading:
    """The one place that tells what a line of any service is: an answer, a failure, or a row to ask again."""
    usual = usual_response(line)
    if usual is not None:
        return Reading(line, usual, usual.failure, usual.counted)
    try:
        return _of_record(_decoder.decode(line), line)
    except _UNREADABLE:
        repaired = repair(line)
    if repaired is None:
        message = "The service's answer to this row is not valid JSON."
        failure = Failure("unreadable_line", message, transient=True)
        return Reading(line, failure, failure, NOTHING if _ANSWERED.search(line) else None)
    return _of_record(_decoder.decode(repaired), repaired)


def outcome(line: bytes) -> Response | Failure:
    """The billed answer in an output line, or why there is none."""
    return read_line(line).outcome


_lenient = json.JSONDecoder(strict=False, parse_constant=lambda _: None)


def repair(line: bytes) -> bytes | None:
    """The line as valid JSON, without what some services write against the standard; None if it cannot be read.

    NaN and infinity become null, half of a surrogate pair becomes U+FFFD. The answer has been paid for: asking again
    would cost as much, and may give no better one.
    """
    try:
        # A file may be one JSON array, an element a line, or a stream of events.
        whole = line.removeprefix(b"data:").strip().rstrip(b",")
        record = _lenient.decode(whole.decode("utf-8", "surrogatepass"))
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        repaired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        _decoder.decode(repaired)
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are subclasses of ValueError
        return None
    return repaired


def _of_record(record: Json, line: bytes) -> Reading:
    if not isinstance(record, dict):
        failure = Failure("unreadable_line", "The service's answer to this row is not a JSON object.", transient=True)
        return Reading(line, failure, failure, None)
    response, error = decoded(record.get("response")), _first_error(record)
    if response is None and not error:
        response, within = _without_response(record)
        error = within or error
    if isinstance(response, dict):
        return _of_response(response, error, line)
    failure = _of_error(error)
    return Reading(line, failure, failure, None, refused=bool(error), param=_param(error))


def _first_error(record: Mapping[str, Json]) -> Json:
    error = record.get("error", record.get("errors"))
    if isinstance(error, dict) and isinstance(error.get("data"), list):
        error = error["data"]
    return error[0] if isinstance(error, list) and error and isinstance(error[0], dict) else error


def _without_response(record: Mapping[str, Json]) -> tuple[Json, Json]:
    """The response of a line that has it under another name or without a frame, and the error."""
    result = decoded(record.get("result"))  # as Anthropic frames it
    if isinstance(result, dict):
        error = result.get("error")
        inner = error.get("error") if isinstance(error, dict) else None
        return ({"body": result.get("message") or result} if not error else None), inner or error
    if "body" in record:
        return record, None
    body = known_form({key: value for key, value in record.items() if key != "response"})
    return ({"body": body} if has_answer(body) else None), None


def _of_response(response: Mapping[str, Json], error: Json, line: bytes) -> Reading:
    named = next((response[name] for name in _STATUS_NAMES if name in response), None)
    status, body = _status(named), decoded(response.get("body"))
    if body is None and has_answer(known_form(response)):
        body = response  # without the frame around it
    body = known_form(_unwrapped(known_form(body)))
    if isinstance(body, dict) and not body.get("usage") and isinstance(response.get("usage"), dict):
        body = {**body, "usage": response["usage"]}
    if status is None:
        # Some gateways leave the status out; a body with an answer means success.
        status = 200 if has_answer(body) else 0
    if 200 <= status < 300:
        return _of_success(body, status, line)
    # Only a 4xx is a refusal; after a redirect, or the 0 of a request that never ran, asking again may help.
    transient = status in _AGAIN or not 400 <= status < 500
    inner = body.get("error") if isinstance(body, dict) else None
    said = inner or error or body
    failure = _failure(said, status, transient=transient)
    return Reading(line, failure, failure, None, refused=True, status=status, param=_param(said))


def _of_success(body: Json, status: int, line: bytes) -> Reading:
    if isinstance(body, dict):
        if has_answer(body):
            response = Response(body, status)
            return Reading(line, response, response.failure, response.counted)
        counted = count_tokens(body.get("usage"))
        if (error := _error_within(body)) is not None:
            failure = _failure(error, status, transient=True)
            if ending_of(failure.code) is Ending.FILTERED:
                failure = replace(failure, code="content_filter", transient=False)
            billed = None if counted == NOTHING else counted
            # The status is wrong: what the refusal says counts.
            return Reading(line, failure, failure, billed, refused=failure.transient and billed is None)
    else:
        counted = NOTHING
    # The answer was billed, and would most likely be the same again: it is kept, and the row fails.
    if not body or body in ({"choices": []}, {"output": []}) or isinstance(body, dict):
        failure = Failure(
            "empty_answer", f"The service answered this row with a body that holds no answer.{_keys(body)}"
        )
    else:
        failure = Failure(
            "unreadable_answer",
            f"The service answered this row with a body that cannot be read: {quoted(str(body))}. It was most likely "
            "paid for, so batchd does not ask again by itself. Drop the failed rows again once the service is well.",
        )
    return Reading(line, failure, failure, counted)


def _error_within(body: Mapping[str, Json]) -> Json:
    """The error in a body that came with a success; None if it holds none."""
    if body.get("error"):
        return body["error"]
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return {"code": base["status_code"], "message": base.get("status_msg")}
    code = body.get("code")
    number = _status(code) if isinstance(code, str) else code
    if code and number not in {0, 200, 20000} and any(isinstance(body.get(name), str) for name in ("message", "msg")):
        return body
    return None


def decoded(value: Json) -> Json:
    """Return the value in a text of JSON, which some services write in place of an object; other values unchanged."""
    for _ in range(3):
        if not isinstance(value, str):
            break
        text = value.strip("\ufeff \t\r\n")
        if text.startswith("data:"):
            return joined_chunks(text) or value
        if text[:1] not in ("{", '"', "["):
            break
        try:
            value = _lenient.decode(text)
        except (ValueError, RecursionError):
            break
    return value


def _unwrapped(body: Json) -> Json:
    """Return the answer in an envelope such as `{"code": 0, "data": {...}}`; the body unchanged if there is none."""
    if not isinstance(body, dict) or has_answer(body):
        return body
    body = dict(body)
    for key in ("data", "output", "result", "response", "body"):
        inner = known_form(decoded(body.get(key)))
        if isinstance(inner, dict) and has_answer(inner):
            return {"usage": body["usage"], **inner} if body.get("usage") and not inner.get("usage") else inner
    return body


def _status(status: Json) -> int | None:
    if isinstance(status, str) and (found := _THREE_DIGITS.match(status)):
        return int(found[1])
    if isinstance(status, float) and status.is_integer():
        return int(status)
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def _of_error(error: Json) -> Failure:
    # Without a response nothing ran: expired, cancelled, or a fault of the service. Asking again may help.
    transient = error.get("transient", True) is not False if isinstance(error, dict) else True
    if error is None:
        message = "The service's answer to this row has neither an answer nor an error."
        return Failure("empty_answer", message, transient=True)
    return _failure(error, None, transient=transient)


def _keys(body: object) -> str:
    """Return a sentence with the keys of a body without an answer; nothing if one of them is usual for answers."""
    if not isinstance(body, dict) or not body or {"choices", "output", "data", "candidates"} & body.keys():
        return ""
    keys = quoted(", ".join(map(str, body)))
    return f" Its keys: {keys}. If this is so for all rows, check base_url and the endpoint of the route."


def _failure(error: Json, status: int | None, *, transient: bool) -> Failure:
    fallback = "error" if status is None else f"http_{status}"
    with_status = "" if status is None else f" with status {status}"
    without_reason = f"The service failed this row{with_status} and gave no reason."
    if isinstance(error, dict):
        code = error.get("code") or error.get("type") or fallback
        message = error.get("message") or error.get("msg") or error.get("detail") or without_reason
    else:
        code, message = fallback, error or without_reason
    return Failure(str(code)[:100], str(message)[:2_000], transient=transient)


def _param(error: Json) -> str | None:
    param = error.get("param") if isinstance(error, dict) else None
    return param if isinstance(param, str) else None


def readable(line: bytes) -> bytes | None:
    """The line, repaired if its JSON is not valid; None if it cannot be read or is no object."""
    read: bytes | None = line
    try:
        _decoder.decode(line)
    except _UNREADABLE:
        read = repair(line)
    return read if read is not None and read.startswith(b"{") else None
