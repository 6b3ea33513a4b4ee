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
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import anthropic
import httpx2
import msgspec

from batchd import (
    BatchdError,
    CannotFind,
    Json,
    NetworkFault,
    NotSent,
    Problem,
    ProviderError,
    RejectedError,
    RemoteMissing,
    SubmissionRefused,
    TooManyCalls,
    TransientError,
    account_advice,
    covered,
    retry_after,
)

from .answers import error_of
from .calls import Call, Kind

FOREIGN: tuple[type[Exception], ...] = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    aiohttp.ClientError,
    OSError,
)
"""Everything that a call may raise. OSError includes ssl's errors, timeouts and the resolver's errors."""
_UNUSABLE = (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError, aiohttp.InvalidURL)
_TOO_MANY = frozenset({429, 503, 529})
_OF_A_GATEWAY = frozenset({502, 504, 520, 524})
"""Statuses of what stands before the service: it may have got the call all the same, and work on it."""
_PASSING = frozenset({408, 409, 425, 429})
_OF_A_REQUEST = re.compile(r"\brequests[.\[](\d+)\b")
"""How the service names the request in a batch that it refuses: `requests.3.params.max_tokens: …`."""


class RowRefused(BatchdError):
    """The service refuses the request of one row, and says nothing of others."""


class AnswerTooLarge(BatchdError):
    """The answer to one row is larger than any can be. It was paid for, and would be as large again."""


class TooLarge(httpx2.StreamError):
    """The service sends more than an answer of this kind can have."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service, for messages, which may contain no secret."""

    address: str
    key_where: str
    key_renewal: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers with names in lower case, the body."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_page(self) -> bool:
        """Whether it is an HTML page. JSON never begins with `<`."""
        return "html" in self.headers.get("content-type", "").lower() or self.content.lstrip()[:1] == b"<"

    def decoded(self) -> Json:
        """The JSON, without our secrets; None if it is none."""
        try:
            return covered(msgspec.json.decode(self.content))
        except (ValueError, RecursionError):
            return None


def of_answer(answer: Answer, call: Call, service: Service) -> BatchdError:
    """The error for an answer that is not a success."""
    status, address = answer.status, service.address
    if 300 <= status < 400:
        return _redirected(call, service)
    kind, text = _said(answer)
    refusal = f"{address} answered with status {status} when asked to {call.what}: {text}"
    advice = account_advice(kind, text, 402 if status == 402 else None) if status < 500 and status != 404 else None
    if status in {401, 407} or (status == 403 and advice is None) or kind == "authentication_error":
        return RejectedError(
            f"{address} refused the key from {service.key_where} when asked to {call.what} (status {status}: {text}) "
            f"Put a key there that is valid and may use the model and batches; {service.key_renewal}."
        )
    if advice is not None and kind != "rate_limit_error":
        return RejectedError(
            f"The account at {address} that the key from {service.key_where} belongs to "
            f"{'cannot pay' if 'credit' in advice else 'is refused'} (status {status}: {text}) {advice}"
        )
    if status in {404, 405, 410, 501}:
        return _missing(status, refusal, call)
    if call.kind is Kind.ANSWER and status in _TOO_MANY:
        return TooManyCalls(
            refusal, retry_after=retry_after(answer.headers), limit="tokens" if "token" in text else None
        )
    if call.kind is Kind.CREATE and status == 429:
        return NotSent(refusal, retry_after=retry_after(answer.headers))
    if status in _PASSING or status >= 500:
        answered = status >= 500 and status not in _OF_A_GATEWAY
        return TransientError(refusal, retry_after=retry_after(answer.headers), answered=answered)
    match call.kind:
        case Kind.LOOK:
            return CannotFind(f"{refusal} So batchd cannot look through the batches there.")
        case Kind.CREATE:
            named = _OF_A_REQUEST.search(text)
            line = int(named[1]) + 1 if named is not None and len(named[1]) < 9 else None
            code = "request_too_large" if status == 413 else kind
            return SubmissionRefused(refusal, problems=(Problem(code, text, line),))
        case Kind.ANSWER:
            return RowRefused(refusal)
    return ProviderError(refusal)


def of_failure(error: Exception, call: Call, service: Service, *, cut_off: bool = False) -> BatchdError:
    """The error for a call without an answer. Raise it outside the `except`: the original may quote the key.

    `cut_off` says that the service cannot have received the whole call.
    """
    fault = NetworkFault(error)
    text, address = fault.reason, service.address
    if fault.has(*_UNUSABLE):
        return RejectedError(f"{address} cannot be called: {text}. Correct base_url or the proxy settings.")
    if fault.has(TooLarge):
        if call.kind is Kind.ANSWER:
            return AnswerTooLarge(f"The answer has {text}.")
        return TransientError(
            f"{address} answered with {text} when asked to {call.what}, and batchd reads no more. Check base_url and "
            "any proxy in between."
        )
    if fault.nothing_sent:
        return NotSent(f"{address} cannot be reached: {text}. {fault.advice}")
    if cut_off:
        return NotSent(f"The connection to {address} broke before the whole of the batch was sent: {text}.")
    if fault.has(TimeoutError, httpx2.TimeoutException, anthropic.APITimeoutError):
        return TransientError(f"{address} did not answer in time when asked to {call.what}.")
    if isinstance(error, anthropic.AnthropicError) and not isinstance(error, anthropic.APIConnectionError):
        return ProviderError(f"The anthropic library could not {call.what} at {address}: {text}.")
    return TransientError(f"The connection to {address} broke when asked to {call.what}: {text}.")


def not_json(answer: Answer, call: Call, service: Service) -> ProviderError:
    """The error for a success without JSON: a login page, a maintenance page, a proxy's message, a stream."""
    if call.kind is Kind.ANSWER and "event-stream" in answer.headers.get("content-type", ""):
        return RejectedError(
            f"{service.address} streams its answers though it was not asked to, and batchd reads whole answers only. "
            "Look in its settings for a way to turn that off."
        )
    kind = "an HTML page" if answer.is_page else "something that is not JSON"
    return TransientError(
        f"{service.address} answered with {kind} when asked to {call.what}. If this continues, check base_url and any "
        "proxy in between.",
        # One that begins as an answer was cut off, and may be there as a whole if it is asked for again.
        answered=not answer.content.lstrip().startswith(b"{"),
    )


def _said(answer: Answer) -> tuple[str, str]:
    body = answer.decoded()
    if isinstance(body, dict) and ("error" in body or "message" in body):
        kind, text = error_of(body)
    else:
        kind = f"http_{answer.status}"
        text = "an HTML page" if answer.is_page else covered(answer.content.decode("utf-8", "replace"))
    text = " ".join(text.split())[:500] or "no reason given"
    return kind, text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _missing(status: int, refusal: str, call: Call) -> BatchdError:
    match call.kind:
        case Kind.LOOK:
            return CannotFind(f"{refusal} So batchd cannot look through the batches there.")
        case Kind.ANSWER:
            return RejectedError(f"{refusal} Check base_url, which is without /v1, and the model of the route.")
        case Kind.CREATE:
            return RejectedError(f"{refusal} Check base_url, which is without /v1, and whether it has Message Batches.")
    return RemoteMissing(refusal) if status in {404, 410} else ProviderError(refusal)


def _redirected(call: Call, service: Service) -> BatchdError:
    where = f"{service.address} redirects elsewhere when asked to {call.what}"
    if call.kind is Kind.CREATE:
        return TransientError(f"{where}. It may have created the batch all the same, so batchd looks for it first.")
    return RejectedError(
        f"{where}, and batchd does not follow it: your key and your rows would go there. Set base_url to the service's "
        "real address."
    )
