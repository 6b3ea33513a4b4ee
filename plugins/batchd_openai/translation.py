"""The one place that translates errors of the network into batchd's; `sdk_errors` adds those of the SDK.

did not reach the service: refused, DNS, TLS, connect timeout       NotSent
broken, silent, 408 409 425 429 498 5xx, not JSON                   TransientError
401 402 403 407, an empty account, a redirect, an unusable address  RejectedError
a redirect of a create, an answer without end                       TransientError
404 410                                                             RemoteMissing
other 4xx: of an upload or a create                                 SubmissionRefused
           of a list that is searched for a batch                   CannotFind
           otherwise                                                ProviderError
"""

from __future__ import annotations

import httpx2

from batchd import (
    BatchdError,
    CallKind,
    HttpAnswer,
    HttpCall,
    NotSent,
    Problem,
    ProviderError,
    RejectedError,
    RemoteMissing,
    SubmissionRefused,
    TransientError,
    account_advice,
    refuses_row,
    retry_after,
)

from .wire import ErrorBody, Service

_BAD_KEY = frozenset({"invalid_api_key", "api_key_invalid", "account_deactivated"})
# Azure, right after an upload: "Only files with status 'Processed' are accepted."
_NOT_PROCESSED = (
    "status 'processed'",
    "status processed",
    "not yet processed",
    "not been processed",
    "being processed",
)


def translate(error: Exception, call: HttpCall, service: Service, *, library: str | None = None) -> BatchdError:
    """The error as one of batchd's. Raise it outside the `except`: the original may quote the key."""
    if isinstance(error, httpx2.HTTPStatusError):
        return of_response(error.response, call, service)
    return service.of_fault(error, call, library=library)


def of_response(response: httpx2.Response, call: HttpCall, service: Service) -> BatchdError:
    """The same as `of_answer` for a response of httpx2."""
    return of_answer(HttpAnswer.of(response), response.url, call, service)


def of_answer(answer: HttpAnswer, url: httpx2.URL, call: HttpCall, service: Service) -> BatchdError:
    """The error for an answer from this address that is not a success."""
    if 300 <= answer.status < 400:
        target = _target(answer, url)
        to = service.masked(target)[:200] or "elsewhere"
        return service.redirected(call, to, _new_base_url(target, url, service))
    body = ErrorBody.read(answer, service)
    status, address = answer.status, service.base_url
    refusal = service.refusal(status, body.text, call)
    if status < 500 and ("token_limit_exceeded" in body.whole or "enqueued token" in body.whole):
        problem = Problem("token_limit_exceeded", body.text)
        create = call.kind is CallKind.CREATE
        return SubmissionRefused(refusal, problems=(problem,)) if create else TransientError(refusal)
    of_row = any(refuses_row(each.code, each.message) for each in body.problems)
    if of_row and call.kind is CallKind.ANSWER and 400 <= status < 500 and status not in {401, 402, 407, 429}:
        return ProviderError(refusal)  # some services refuse a row with 403, which is otherwise about the key
    advice = _account_advice(status, body)
    if status == 407:
        return RejectedError(
            f"A proxy before {address} refuses to pass calls on without a login (status 407: {body.text}) Write its "
            "user and password into HTTPS_PROXY, or HTTP_PROXY for an http address, then start batchd again."
        )
    if status == 401 or body.codes & _BAD_KEY or (status == 403 and advice is None):
        return service.key_refused(status, body.text, call)
    if advice is not None:
        return service.account_refused(status, body.text, advice)
    if call.kind is CallKind.CREATE and status == 400 and any(words in body.whole for words in _NOT_PROCESSED):
        return NotSent(f"{address} is still processing the uploaded file: {body.text}", retry_after=10.0)
    if status in service.no_such_call:
        return _missing(status, body, refusal, call, service)
    return service.refused(status, refusal, call, problems=body.problems, wait=retry_after(answer.headers))


def _account_advice(status: int, body: ErrorBody) -> str | None:
    """Say who must do what about the account, if the service refuses the account; else None."""
    if status >= 500 or status in Service.no_such_call:
        return None
    # The status alone says only that something is wrong with the key.
    told = [("" if each.code == f"http_{status}" else each.code, each.message) for each in body.problems]
    told += [(code, "") for code in body.codes]
    advice = next((found for code, text in told if (found := account_advice(code, text)) is not None), None)
    if advice is None and status == 402:
        return account_advice("", "", status)
    return advice


def _missing(status: int, body: ErrorBody, refusal: str, call: HttpCall, service: Service) -> BatchdError:
    if call.kind is CallKind.LOOK:
        return service.cannot_look(refusal)
    if call.kind is CallKind.ANSWER:
        return RejectedError(f"{refusal} Check {service.to_check}, and the model and endpoint of the route.")
    missing = status in {404, 410}
    names_the_file = "file" in body.whole or (call.about is not None and call.about.lower() in body.whole)
    if call.kind is CallKind.UPLOAD or (call.kind is CallKind.CREATE and not (missing and names_the_file)):
        # A new upload would replace a missing file. A service without batches needs a person.
        return RejectedError(
            f"{service.base_url} has no Batch API: it answered with status {status} when asked to {call.what}. "
            f"Check {service.to_check}.",
            no_batches=True,
        )
    if missing:
        return RemoteMissing(refusal)
    return TransientError(refusal) if status >= 500 else ProviderError(refusal)


def storage_of(error: Exception) -> httpx2.URL | None:
    """The address to which a service redirects for a file; None if it does not redirect, or to a less safe address."""
    response = getattr(error, "response", None)
    if not isinstance(response, httpx2.Response) or response.status_code not in {301, 302, 303, 307, 308}:
        return None
    asked = response.request.url
    try:
        target = asked.join(response.headers.get("location", "")).copy_with(username=None, password=None)
    except (httpx2.InvalidURL, ValueError, RuntimeError):
        return None
    safe = target.scheme == "https" or target.scheme == asked.scheme == "http"
    elsewhere = (target.host, target.port) != (asked.host, asked.port)
    return target if safe and elsewhere and target.host else None


def _target(answer: HttpAnswer, url: httpx2.URL) -> str:
    """The address of a redirect without what may be secret in it; empty if it is not valid."""
    try:
        target = url.join(answer.headers.get("location", ""))
        return str(target.copy_with(username=None, password=None, query=None, fragment=None))
    except (httpx2.InvalidURL, ValueError, RuntimeError):
        return ""


def _new_base_url(target: str, url: httpx2.URL, service: Service) -> str:
    """Say what to write as base_url, if the redirect goes to the same call elsewhere; else an empty text."""
    called = str(url.copy_with(query=None)).removeprefix(service.base_url).rstrip("/")
    base = target.rstrip("/").removesuffix(called)
    if called and base != target.rstrip("/") and base != service.base_url:
        return f'If that address is the service\'s, set base_url = "{service.masked(base)[:200]}".'
    return ""
