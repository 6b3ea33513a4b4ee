"""Translates refusals of the service into batchd's errors; `HttpService` does so for errors of the network.

429 of a create: it was counted, and not taken                      NotSent
408 409 425 429 5xx                                                 TransientError
401 402 403 407, an empty account, a redirect                       RejectedError
a redirect of a create                                              TransientError
404 410                                                             RemoteMissing
404 405 410 501 of an upload, a create or a list                    RejectedError, CannotFind for the list
other 4xx: of an upload or a create                                 SubmissionRefused
           of a list that is searched for a batch                   CannotFind
           otherwise                                                ProviderError
"""

from __future__ import annotations

from collections.abc import Mapping

from batchd import (
    BatchdError,
    CallKind,
    HttpAnswer,
    HttpCall,
    HttpService,
    Json,
    NotSent,
    Problem,
    ProviderError,
    RejectedError,
    RemoteMissing,
    TransientError,
    account_advice,
    covered,
    retry_after,
)

from .dialects import MAX_MESSAGE

_MAX_TEXT = 500


def of_answer(answer: HttpAnswer, call: HttpCall, service: HttpService) -> BatchdError:
    """The error for an HTTP answer that is no success."""
    status, address = answer.status, service.base_url
    if 300 <= status < 400:
        return service.redirected(call)
    problem = read_problem(answer)
    text = service.sentence(problem.message)
    refusal = service.refusal(status, text, call)
    own_code = "" if problem.code == f"http_{status}" else problem.code
    advice = None
    if status < 500 and status not in service.no_such_call:
        advice = account_advice(own_code, problem.message) or (account_advice("", "", 402) if status == 402 else None)
    if status in {401, 407} or (status == 403 and advice is None):
        return service.key_refused(status, text, call)
    if advice is not None:
        return RejectedError(
            f"The account at {address} that the key from {service.key_where} belongs to is refused (status {status}: "
            f"{text}) {advice}"
        )
    if status in service.no_such_call:
        return _missing(status, refusal, problem, call, service)
    if status == 429 and call.kind is CallKind.CREATE:
        return NotSent(refusal, retry_after=retry_after(answer.headers))
    if status == 409 and call.kind is CallKind.PLAIN:
        return ProviderError(refusal)  # the batch has not ended, or has ended: asking again at once changes nothing
    wait = retry_after(answer.headers)
    return service.refused(status, refusal, call, problems=(problem,), wait=wait, answered=True)


def _missing(status: int, refusal: str, problem: Problem, call: HttpCall, service: HttpService) -> BatchdError:
    if call.kind is CallKind.LOOK:
        return service.cannot_look(refusal)
    if call.kind is CallKind.CREATE and status in {404, 410} and "file" in problem.message.lower():
        return RemoteMissing(refusal)  # the uploaded file is gone, and a new upload replaces it
    if call.kind is not CallKind.PLAIN:
        return RejectedError(
            f"{service.base_url} has no such Batch API: it answered with status {status} when asked to {call.what}. "
            "Check base_url and dialect."
        )
    if status in {404, 410}:
        return RemoteMissing(refusal)
    return TransientError(refusal) if status >= 500 else ProviderError(refusal)


def read_problem(answer: HttpAnswer) -> Problem:
    """What an error body says, in any form: `{"error": {...}}`, `{"detail": [...]}`, `{"code", "error"}`, a text."""
    unnamed = f"http_{answer.status}"
    text = covered(" ".join(answer.body.decode("utf-8", "replace").split()))
    if answer.is_page:
        return Problem(unnamed, "an HTML page")
    body = answer.decoded()
    if body is None:
        return Problem(unnamed, text[:_MAX_TEXT] or "no reason given")
    code, said = _said(body)
    numeric = isinstance(code, int) or (isinstance(code, str) and code.isdigit())
    name = unnamed if code is None or numeric or not str(code) else str(code)[:100]
    return Problem(name, (said or text)[:MAX_MESSAGE] or "no reason given")


def _said(body: Json) -> tuple[Json, str]:
    if not isinstance(body, Mapping):
        return None, str(body) if body else ""
    code: Json = body.get("code") or body.get("type")
    for name in ("error", "detail", "message", "msg"):
        said = body.get(name)
        if isinstance(said, Mapping):
            inner, text = _said(said)
            return inner or code, text
        if isinstance(said, list):
            return code, "; ".join(_detail(each) for each in said[:20])
        if isinstance(said, str) and said:
            return code, said
    return code, ""


def _detail(each: Json) -> str:
    """One of the faults that FastAPI lists."""
    if not isinstance(each, Mapping):
        return str(each)
    place = each.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{where}: {each.get('msg')}" if where else str(each.get("msg") or each)
