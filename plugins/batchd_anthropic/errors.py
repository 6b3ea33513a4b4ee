"""The one place that translates errors of the service, the SDK and the network into batchd's.

did not reach the service, or broke off before all was sent        NotSent
429 of a create: it is counted before it is carried out             NotSent
broken, silent, 408 409 5xx, not JSON                               TransientError
429 529 503 of a call of one row                                    TooManyCalls
401 402 403, an empty account, a redirect, an unusable address      RejectedError
404                                                                 RemoteMissing
other 4xx: of a create                                              SubmissionRefused
           of a list that is searched                               CannotFind
           of one row                                               RowRefused
           otherwise                                                ProviderError
"""

from __future__ import annotations

import re

import anthropic

from batchd import (
    HTTP_ERRORS,
    AnswerTooLarge,
    BatchdError,
    CallKind,
    HttpAnswer,
    HttpCall,
    HttpService,
    NetworkFault,
    NotSent,
    Problem,
    ProviderError,
    RejectedError,
    RemoteMissing,
    TooManyCalls,
    TransientError,
    account_advice,
    covered,
    retry_after,
)

from .answers import error_of

FOREIGN: tuple[type[Exception], ...] = (anthropic.AnthropicError, *HTTP_ERRORS)
"""Everything that a call may raise."""
_TOO_MANY = frozenset({429, 503, 529})
_OF_A_GATEWAY = frozenset({502, 504, 520, 524})
"""Statuses of a gateway. The service behind it may have received the call all the same, and work on it."""
_OF_A_REQUEST = re.compile(r"\brequests[.\[](\d+)\b")
"""How the service names the request in a batch that it refuses: `requests.3.params.max_tokens: …`."""


class RowRefused(BatchdError):
    """The service refuses the request of one row, which says nothing about others."""


class RowTooLarge(BatchdError):
    """The answer to one row is larger than the limit. It was paid for, and would be as large again."""


class Service(HttpService):
    """The service, for messages, which may contain no secret."""

    def may(self, call: HttpCall) -> str:  # noqa: ARG002  # one key is for both
        """What the key must be allowed to do: the same for each call."""
        return "use the model and batches"

    def endless(self, how: str, call: HttpCall) -> TransientError:
        """The error for an answer that is larger than any of its kind."""
        return TransientError(
            f"{self.base_url} answered with {how} when asked to {call.what}, and batchd reads no more. Check base_url "
            "and any proxy in between."
        )


def of_answer(answer: HttpAnswer, call: HttpCall, service: Service) -> BatchdError:
    """The error for an answer that is not a success."""
    status = answer.status
    if 300 <= status < 400:
        return _redirected(call, service)
    kind, text = _said(answer)
    refusal = service.refusal(status, text, call)
    advice = account_advice(kind, text, 402 if status == 402 else None) if status < 500 and status != 404 else None
    if status in {401, 407} or (status == 403 and advice is None) or kind == "authentication_error":
        return service.key_refused(status, text, call)
    if advice is not None and kind != "rate_limit_error":
        return service.account_refused(status, text, advice)
    if status in service.no_such_call:
        return _missing(status, refusal, call, service)
    if call.kind is CallKind.ANSWER and status in _TOO_MANY:
        return TooManyCalls(
            refusal, retry_after=retry_after(answer.headers), limit="tokens" if "token" in text else None
        )
    if call.kind is CallKind.CREATE and status == 429:
        return NotSent(refusal, retry_after=retry_after(answer.headers))
    if call.kind is CallKind.ANSWER and 400 <= status < 500 and status not in service.passing:
        return RowRefused(refusal)
    named = _OF_A_REQUEST.search(text)
    line = int(named[1]) + 1 if named is not None and len(named[1]) < 9 else None
    problem = Problem("request_too_large" if status == 413 else kind, text, line)
    answered = status >= 500 and status not in _OF_A_GATEWAY
    wait = retry_after(answer.headers)
    return service.refused(status, refusal, call, problems=(problem,), wait=wait, answered=answered)


def of_failure(error: Exception, call: HttpCall, service: Service, *, cut_off: bool = False) -> BatchdError:
    """The error for a call without an answer. Raise it outside the `except`: the original may quote the key.

    `cut_off` says that the service cannot have received the whole call.
    """
    fault = NetworkFault(error)
    if fault.has(AnswerTooLarge) and call.kind is CallKind.ANSWER:
        return RowTooLarge(f"The answer has {fault.reason}.")
    if isinstance(fault.chain[-1], anthropic.APITimeoutError):
        failure: BatchdError = service.silent(call)
    else:
        own = isinstance(error, anthropic.AnthropicError) and not isinstance(error, anthropic.APIConnectionError)
        failure = service.of_fault(error, call, library="anthropic" if own else None)
    if cut_off and not isinstance(failure, NotSent | RejectedError) and not fault.has(AnswerTooLarge):
        return NotSent(
            f"The connection to {service.base_url} broke before the whole of the batch was sent: {fault.reason}."
        )
    return failure


def not_json(answer: HttpAnswer, call: HttpCall, service: Service) -> ProviderError:
    """The error for a success without JSON: a login page, a maintenance page, a proxy's message, a stream."""
    if call.kind is CallKind.ANSWER and "event-stream" in answer.headers.get("content-type", ""):
        return service.streams()
    # A body that begins like an answer was cut off. Asked for again, it may arrive complete.
    answered = not answer.body.lstrip().startswith(b"{")
    return service.not_json(call, page=answer.is_page, answered=answered)


def _said(answer: HttpAnswer) -> tuple[str, str]:
    body = answer.decoded()
    if isinstance(body, dict) and ("error" in body or "message" in body):
        kind, text = error_of(body)
    else:
        kind = f"http_{answer.status}"
        text = "an HTML page" if answer.is_page else covered(answer.body.decode("utf-8", "replace"))
    return kind, HttpService.sentence(" ".join(text.split()) or "no reason given")


def _missing(status: int, refusal: str, call: HttpCall, service: Service) -> BatchdError:
    match call.kind:
        case CallKind.LOOK:
            return service.cannot_look(refusal)
        case CallKind.ANSWER:
            return RejectedError(f"{refusal} Check base_url, which is without /v1, and the model of the route.")
        case CallKind.CREATE:
            return RejectedError(f"{refusal} Check base_url, which is without /v1, and whether it has Message Batches.")
    return RemoteMissing(refusal) if status in {404, 410} else ProviderError(refusal)


def _redirected(call: HttpCall, service: Service) -> BatchdError:
    where = f"{service.base_url} redirects elsewhere when asked to {call.what}"
    if call.kind is CallKind.CREATE:
        return TransientError(f"{where}. It may have created the batch all the same, so batchd looks for it first.")
    return RejectedError(
        f"{where}, and batchd does not follow it: your key and your rows would go there. Set base_url to the service's "
        "real address."
    )
