"""The one border where what the SDK and the network raise becomes what batchd understands.

    did not reach the service: refused, DNS, TLS, connect time-out      NotSent
    cut, silent, 408 409 425 429 5xx, no JSON where JSON should be      TransientError
    401 402 403 407, an empty account, a redirect, an unusable address  RejectedError
    404 410                                                             RemoteMissing
    other 4xx: of an upload or a create                                 SubmissionRefused
               of a list that is looked through for a batch             CannotFind
               otherwise                                                ProviderError

Only what proves that nothing was sent may become NotSent, since a create is then repeated at once. The class that
httpx2 shows proves nothing: the SDK's aiohttp transport reports every lost connection as `ConnectTimeout`, also one
that was lost after the service had read the request. So the cause beneath decides.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import aiohttp
import httpx2
import openai

from batchd import (
    BatchdError,
    CannotFind,
    NotSent,
    Problem,
    ProviderError,
    RejectedError,
    RemoteMissing,
    SubmissionRefused,
    TransientError,
)

from .wire import Call, ErrorBody, Kind, Service, content_of, is_html, retry_after

FOREIGN: tuple[type[Exception], ...] = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    httpx2.StreamError,
    aiohttp.ClientError,
    OSError,
)
"""Everything that may come across. OSError includes ssl's errors, time-outs and what the resolver raises."""

_NOTHING_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)
_NOTHING_SENT_BY_SYSTEM = (ssl.SSLCertVerificationError, socket.gaierror, ConnectionRefusedError)
_NOTHING_SENT_BY_HTTPX = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_UNUSABLE = (
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
    httpx2.LocalProtocolError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)

_PASSING = frozenset({408, 409, 425, 429})
_NO_SUCH_CALL = frozenset({404, 405, 410, 501})
_EMPTY_ACCOUNT = frozenset(
    {"insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "billing_not_active", "arrearage"}
)
_BAD_KEY = frozenset({"invalid_api_key", "api_key_invalid", "account_deactivated"})
# Azure, right after an upload: "Only files with status 'Processed' are accepted."
_NOT_PROCESSED = ("status 'processed'", "status processed", "not yet processed", "still being processed")


def translate(error: Exception, call: Call, service: Service) -> BatchdError:
    """What the error means for batchd. Raise the result outside the `except`: the original may quote the key."""
    if isinstance(error, openai.APIStatusError | httpx2.HTTPStatusError):
        return of_response(error.response, call, service)
    chain = list(_causes(error))
    text, address = service.masked(_reason(chain)), service.base_url
    if any(isinstance(each, _UNUSABLE) for each in chain):
        return RejectedError(f"{address} cannot be called: {text}. Mend base_url or the proxy settings.")
    if _nothing_sent(chain):
        return NotSent(f"{address} cannot be reached: {text}.{_advice(chain)}")
    if _silent(chain):
        return TransientError(f"{address} did not answer in time when asked to {call.what}.")
    ours = isinstance(error, openai.OpenAIError) and not isinstance(
        error, openai.APIConnectionError | openai.APIResponseValidationError
    )
    if ours:
        return ProviderError(f"The openai library could not {call.what} at {address}: {text}.")
    return TransientError(f"{address} broke off when asked to {call.what}: {text}.")


def of_response(response: httpx2.Response, call: Call, service: Service) -> BatchdError:
    """What an HTTP answer that is not a success means."""
    if turned(response) or 300 <= response.status_code < 400:
        return redirected(response, call, service)
    said = ErrorBody.read(response, service)
    status, address = response.status_code, service.base_url
    refusal = f"{address} answered with status {status} when asked to {call.what}: {said.text}"
    if status < 500 and ("token_limit_exceeded" in said.whole or "enqueued token" in said.whole):
        problem = Problem("token_limit_exceeded", said.text)
        return SubmissionRefused(refusal, problems=(problem,)) if call.kind is Kind.CREATE else TransientError(refusal)
    if status in {401, 403, 407} or said.codes & _BAD_KEY:
        return RejectedError(
            f"{address} refused the key from {service.key_where} when asked to {call.what} "
            f"(status {status}: {said.text}) Put a key there that is valid and may use files and batches; "
            f"{service.key_renewal}."
        )
    if status == 402 or said.codes & _EMPTY_ACCOUNT:
        return RejectedError(
            f"The account at {address} that the key from {service.key_where} belongs to cannot pay "
            f"(status {status}: {said.text}) Add credit or raise its limit there."
        )
    if call.kind is Kind.CREATE and status == 400 and any(words in said.whole for words in _NOT_PROCESSED):
        return NotSent(f"{address} has not finished taking in the uploaded file yet: {said.text}", retry_after=10.0)
    if status in _NO_SUCH_CALL:
        return _not_there(status, said, refusal, call, service)
    if status in _PASSING or status >= 500:
        return TransientError(refusal, retry_after=retry_after(response))
    if call.kind is Kind.LOOK:
        return _cannot_look(refusal)
    if call.kind in {Kind.UPLOAD, Kind.CREATE}:
        return SubmissionRefused(refusal, problems=said.problems)
    return ProviderError(refusal)


def _not_there(status: int, said: ErrorBody, refusal: str, call: Call, service: Service) -> BatchdError:
    if call.kind is Kind.LOOK:
        return _cannot_look(refusal)
    missing = status in {404, 410}
    names_the_file = "file" in said.whole or (call.about is not None and call.about.lower() in said.whole)
    if call.kind is Kind.UPLOAD or (call.kind is Kind.CREATE and not (missing and names_the_file)):
        # Uploading again would mend a missing file; nothing but a person mends a service without batches.
        return RejectedError(
            f"{service.base_url} has no Batch API: it answered with status {status} when asked to {call.what}. "
            "Check base_url; most end in /v1."
        )
    if missing:
        return RemoteMissing(refusal)
    return TransientError(refusal) if status >= 500 else ProviderError(refusal)


def _cannot_look(refusal: str) -> CannotFind:
    return CannotFind(f"{refusal} So batchd cannot look through the batches there.")


def not_json(response: httpx2.Response, call: Call, service: Service) -> TransientError:
    """A success that holds no JSON: a login page, a maintenance page, a proxy's words."""
    kind = "an HTML page" if is_html(response, content_of(response)) else "something that is not JSON"
    return TransientError(
        f"{service.base_url} answered with {kind} when asked to {call.what}. "
        "If it keeps doing so, check base_url (most end in /v1) and what stands between here and there."
    )


def turned(response: httpx2.Response) -> bool:
    """Whether a redirect made another method of the call, so that the answer is to a question we did not ask."""
    return bool(response.history) and response.history[0].request.method != response.request.method


def redirected(response: httpx2.Response, call: Call, service: Service) -> RejectedError:
    """A redirect that cannot be followed with this call."""
    first = response.history[0] if response.history else response
    target = service.masked(first.headers.get("location", "elsewhere"))[:200]
    return RejectedError(
        f"{service.base_url} redirects to {target} when asked to {call.what}. "
        "Set base_url to where the service really is."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        # Causes only: a context may be another call's error, and prove what did not happen to this one.
        current = current.__cause__


def _nothing_sent(chain: list[BaseException]) -> bool:
    by_aiohttp = [each for each in chain if isinstance(each, aiohttp.ClientError)]
    if by_aiohttp:
        return any(isinstance(each, _NOTHING_SENT) for each in by_aiohttp)
    if any(isinstance(each, _NOTHING_SENT_BY_SYSTEM) for each in chain):
        return True
    deepest = chain[-1]
    return isinstance(deepest, _NOTHING_SENT_BY_HTTPX)


def _silent(chain: list[BaseException]) -> bool:
    # Again the cause decides: "connect time-out" is also what a connection lost at once is called.
    by_aiohttp = [each for each in chain if isinstance(each, aiohttp.ClientError)]
    return any(isinstance(each, TimeoutError | httpx2.TimeoutException) for each in by_aiohttp or chain) or isinstance(
        chain[-1], openai.APITimeoutError
    )


def _advice(chain: list[BaseException]) -> str:
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return (
            " Its certificate is not trusted here: install the CA certificates (or point SSL_CERT_FILE at them), "
            "check the clock, or mend base_url."
        )
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return " The TLS handshake failed: check that base_url is right to begin with https, and the proxy."
    if any(isinstance(each, socket.gaierror | aiohttp.ClientConnectorDNSError) for each in chain):
        return " Its name cannot be resolved: check base_url and this machine's DNS."
    if any(isinstance(each, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError) for each in chain):
        return " The proxy does not let it through: check HTTPS_PROXY."
    return " Check base_url and the network."


def _reason(chain: list[BaseException]) -> str:
    # The deepest one that says anything says it most plainly: "Connection refused", not "Connection error."
    for each in reversed(chain):
        if isinstance(each, ConnectionError) and each.errno:
            return os.strerror(each.errno)
        if isinstance(each, OSError) and isinstance(each.strerror, str) and each.strerror:
            return each.strerror
        text = " ".join(str(each).split())
        if text:
            return text[:500].rstrip(".")
    return type(chain[0]).__name__
