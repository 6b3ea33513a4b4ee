"""Reads a line of an output or error file into a Result."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from batchd import Failure, Json, Response, Result

_decoder = msgspec.json.Decoder()
_RETRIED = frozenset({0, 408, 409, 425, 429})
_ANSWERS = ("choices", "output", "data", "results")


def result_of(line: bytes) -> Result | None:
    """The result on a line. None if it is not JSON or has no custom_id: its row then counts as not answered."""
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
    # The request did not run: expired, cancelled, or a fault of the service. A retry may help.
    return Result(custom_id, _failure(error, "no_answer", transient=True))


def _outcome(response: Mapping[str, Json], error: Json) -> Response | Failure:
    status, body = response.get("status_code"), response.get("body")
    if not isinstance(status, int) or isinstance(status, bool):
        # Some gateways leave the status out. A body with an answer then counts as a success.
        status = 200 if _answers(body) else 0
    if not 200 <= status < 300:
        # The body holds the HTTP error; the `error: null` beside it does not mean success.
        inner = body.get("error") if isinstance(body, Mapping) else None
        return _failure(inner or error or body, f"http_{status}", transient=status in _RETRIED or status >= 500)
    if isinstance(body, Mapping) and _answers(body):
        return Response(body, status)
    inner = body.get("error") if isinstance(body, Mapping) else None
    return _failure(inner, "empty_answer", transient=True)


def _answers(body: Json) -> bool:
    return isinstance(body, Mapping) and any(isinstance(body.get(key), list) and body[key] for key in _ANSWERS)


def _failure(error: Json, fallback: str, *, transient: bool) -> Failure:
    message = "The service returned no answer for this row, and no reason."
    if isinstance(error, Mapping):
        code = error.get("code") or error.get("type") or fallback
        return Failure(str(code)[:100], str(error.get("message") or message)[:2_000], transient=transient)
    return Failure(fallback, str(error or message)[:2_000], transient=transient)
