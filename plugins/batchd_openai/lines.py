"""One line of an output or error file as a Result."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from batchd import Failure, Json, Response, Result

_decoder = msgspec.json.Decoder()
_AGAIN = frozenset({0, 408, 409, 425, 429})
_ANSWERS = ("choices", "output", "data", "results")


def result_of(line: bytes) -> Result | None:
    """What a line says, None if it is not JSON or says not whose it is: such a row counts as not answered."""
    try:
        record = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    custom_id = record.get("custom_id") if isinstance(record, Mapping) else None
    if not isinstance(custom_id, str):
        return None
    response, error = record.get("response"), record.get("error")
    if isinstance(response, Mapping):
        return Result(custom_id, _outcome(response, error))
    # Nothing ran: expired, cancelled, or a fault of the service. Asking again may help.
    return Result(custom_id, _failure(error, "no_answer", transient=True))


def _outcome(response: Mapping[str, Json], error: Json) -> Response | Failure:
    status, body = response.get("status_code"), response.get("body")
    if not isinstance(status, int) or isinstance(status, bool):
        # Left out by some gateways; then a body that answers speaks for itself.
        status = 200 if _answers(body) else 0
    if not 200 <= status < 300:
        # An HTTP failure stands in the body, and beside it `error: null`, which must not be taken for an answer.
        inner = body.get("error") if isinstance(body, Mapping) else None
        return _failure(inner or error or body, f"http_{status}", transient=status in _AGAIN or status >= 500)
    if isinstance(body, Mapping) and _answers(body):
        return Response(body, status)
    inner = body.get("error") if isinstance(body, Mapping) else None
    return _failure(inner, "empty_answer", transient=True)


def _answers(body: Json) -> bool:
    return isinstance(body, Mapping) and any(isinstance(body.get(key), list) and body[key] for key in _ANSWERS)


def _failure(error: Json, fallback: str, *, transient: bool) -> Failure:
    message = "The service gave no answer to this row and no reason."
    if isinstance(error, Mapping):
        code = error.get("code") or error.get("type") or fallback
        return Failure(str(code)[:100], str(error.get("message") or message)[:2_000], transient=transient)
    return Failure(fallback, str(error or message)[:2_000], transient=transient)
