"""Every error of the libraries is translated; a new one in a library fails this test."""

from __future__ import annotations

import asyncio
import errno
import inspect
import socket
import ssl
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from typing import Any

import aiohttp
import httpx2
import openai
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from openai_support import named
from yarl import URL

from batchd import (
    CallKind,
    CannotFind,
    HttpCall,
    NotSent,
    ProviderError,
    RejectedError,
    RemoteMissing,
    Secret,
    SubmissionRefused,
    TransientError,
    retry_after,
)
from batchd_openai.sdk_errors import FOREIGN, translate
from batchd_openai.translation import of_response
from batchd_openai.wire import Service

SERVICE = Service("https://acme.example/v1", "the environment variable ACME_KEY")
CREATE = HttpCall("create a batch", CallKind.CREATE, about="file-1")

REQUEST = httpx2.Request("POST", "https://acme.example/v1/batches")
INFO = RequestInfo(URL("https://acme.example"), "POST", CIMultiDictProxy(CIMultiDict()), URL("https://acme.example"))
PLACE = ConnectionKey("acme.example", 443, True, None, None, None, None)


def answer(status: int, body: Any = None, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json=body or {"error": {"message": "No."}}, headers=headers, request=REQUEST)


def status_error(kind: type[Any], status: int) -> Exception:
    if kind is openai.OAuthError:
        return kind(response=answer(status), body=None)
    return kind("No.", response=answer(status), body=None)


def refused() -> OSError:
    return ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")


OPENAI: dict[type[BaseException], tuple[Exception, type[Exception]]] = {
    openai.OpenAIError: (openai.OpenAIError("Missing credentials."), ProviderError),
    openai.APIError: (openai.APIError("x", REQUEST, body=None), ProviderError),
    openai.APIConnectionError: (openai.APIConnectionError(request=REQUEST), TransientError),
    openai.APITimeoutError: (openai.APITimeoutError(REQUEST), TransientError),
    openai.APIResponseValidationError: (openai.APIResponseValidationError(answer(200), None), TransientError),
    openai.APIStatusError: (status_error(openai.APIStatusError, 418), SubmissionRefused),
    openai.BadRequestError: (status_error(openai.BadRequestError, 400), SubmissionRefused),
    openai.AuthenticationError: (status_error(openai.AuthenticationError, 401), RejectedError),
    openai.OAuthError: (status_error(openai.OAuthError, 401), RejectedError),
    openai.PermissionDeniedError: (status_error(openai.PermissionDeniedError, 403), RejectedError),
    openai.NotFoundError: (status_error(openai.NotFoundError, 404), RejectedError),
    openai.ConflictError: (status_error(openai.ConflictError, 409), TransientError),
    openai.UnprocessableEntityError: (status_error(openai.UnprocessableEntityError, 422), SubmissionRefused),
    openai.RateLimitError: (status_error(openai.RateLimitError, 429), TransientError),
    openai.InternalServerError: (status_error(openai.InternalServerError, 500), TransientError),
}
# Raised by helpers of the SDK that this plugin does not use: structured output, webhooks, web sockets, identities.
OPENAI_NOT_OURS = {
    "_AmbiguousModuleClientUsageError",
    "LengthFinishReasonError",
    "ContentFilterFinishReasonError",
    "InvalidWebhookSignatureError",
    "SubjectTokenProviderError",
    "WebSocketConnectionClosedError",
    "WebSocketQueueFullError",
}

HTTPX: dict[type[BaseException], tuple[Exception, type[Exception]]] = {
    httpx2.HTTPError: (httpx2.HTTPError("x"), TransientError),
    httpx2.RequestError: (httpx2.RequestError("x"), TransientError),
    httpx2.TransportError: (httpx2.TransportError("x"), TransientError),
    httpx2.TimeoutException: (httpx2.TimeoutException("x"), TransientError),
    httpx2.ConnectTimeout: (httpx2.ConnectTimeout("x"), NotSent),
    httpx2.ReadTimeout: (httpx2.ReadTimeout("x"), TransientError),
    httpx2.WriteTimeout: (httpx2.WriteTimeout("x"), TransientError),
    httpx2.PoolTimeout: (httpx2.PoolTimeout("x"), NotSent),
    httpx2.NetworkError: (httpx2.NetworkError("x"), TransientError),
    httpx2.ConnectError: (httpx2.ConnectError("x"), NotSent),
    httpx2.ReadError: (httpx2.ReadError("x"), TransientError),
    httpx2.WriteError: (httpx2.WriteError("x"), TransientError),
    httpx2.CloseError: (httpx2.CloseError("x"), TransientError),
    httpx2.ProxyError: (httpx2.ProxyError("x"), NotSent),
    httpx2.UnsupportedProtocol: (httpx2.UnsupportedProtocol("x"), RejectedError),
    httpx2.ProtocolError: (httpx2.ProtocolError("x"), TransientError),
    httpx2.LocalProtocolError: (httpx2.LocalProtocolError("x"), RejectedError),
    httpx2.RemoteProtocolError: (httpx2.RemoteProtocolError("x"), TransientError),
    httpx2.DecodingError: (httpx2.DecodingError("x"), TransientError),
    httpx2.TooManyRedirects: (httpx2.TooManyRedirects("x"), TransientError),
    httpx2.HTTPStatusError: (httpx2.HTTPStatusError("x", request=REQUEST, response=answer(503)), TransientError),
    httpx2.InvalidURL: (httpx2.InvalidURL("x"), RejectedError),
    httpx2.CookieConflict: (httpx2.CookieConflict("x"), TransientError),
    httpx2.StreamError: (httpx2.StreamError("x"), TransientError),
    httpx2.StreamConsumed: (httpx2.StreamConsumed(), TransientError),
    httpx2.StreamClosed: (httpx2.StreamClosed(), TransientError),
    httpx2.ResponseNotRead: (httpx2.ResponseNotRead(), TransientError),
    httpx2.RequestNotRead: (httpx2.RequestNotRead(), TransientError),
}


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    error.verify_code, error.verify_message = 18, "self-signed certificate"
    return error


AIOHTTP: dict[type[BaseException], tuple[Exception, type[Exception]]] = {
    aiohttp.ClientError: (aiohttp.ClientError("x"), TransientError),
    aiohttp.ClientResponseError: (aiohttp.ClientResponseError(INFO, ()), TransientError),
    aiohttp.ContentTypeError: (aiohttp.ContentTypeError(INFO, ()), TransientError),
    aiohttp.WSServerHandshakeError: (aiohttp.WSServerHandshakeError(INFO, ()), TransientError),
    aiohttp.ClientHttpProxyError: (aiohttp.ClientHttpProxyError(INFO, (), status=403), NotSent),
    aiohttp.TooManyRedirects: (aiohttp.TooManyRedirects(INFO, ()), TransientError),
    aiohttp.ClientConnectionError: (aiohttp.ClientConnectionError("x"), TransientError),
    aiohttp.ClientConnectionResetError: (aiohttp.ClientConnectionResetError("x"), TransientError),
    aiohttp.ClientOSError: (aiohttp.ClientOSError(errno.EPIPE, "x"), TransientError),
    aiohttp.ClientConnectorError: (aiohttp.ClientConnectorError(PLACE, refused()), NotSent),
    aiohttp.ClientConnectorDNSError: (aiohttp.ClientConnectorDNSError(PLACE, OSError(1, "x")), NotSent),
    aiohttp.ClientProxyConnectionError: (aiohttp.ClientProxyConnectionError(PLACE, refused()), NotSent),
    aiohttp.client_exceptions.UnixClientConnectorError: (
        aiohttp.client_exceptions.UnixClientConnectorError("/x", PLACE, refused()),
        NotSent,
    ),
    aiohttp.ServerConnectionError: (aiohttp.ServerConnectionError("x"), TransientError),
    aiohttp.ServerDisconnectedError: (aiohttp.ServerDisconnectedError(), TransientError),
    aiohttp.ServerTimeoutError: (aiohttp.ServerTimeoutError("x"), TransientError),
    aiohttp.ConnectionTimeoutError: (aiohttp.ConnectionTimeoutError("x"), NotSent),
    aiohttp.SocketTimeoutError: (aiohttp.SocketTimeoutError("x"), TransientError),
    aiohttp.ServerFingerprintMismatch: (aiohttp.ServerFingerprintMismatch(b"", b"", "x", 1), TransientError),
    aiohttp.ClientPayloadError: (aiohttp.ClientPayloadError("x"), TransientError),
    aiohttp.InvalidURL: (aiohttp.InvalidURL("x"), RejectedError),
    aiohttp.InvalidUrlClientError: (aiohttp.InvalidUrlClientError("x"), RejectedError),
    aiohttp.InvalidUrlRedirectClientError: (aiohttp.InvalidUrlRedirectClientError("x"), RejectedError),
    aiohttp.NonHttpUrlClientError: (aiohttp.NonHttpUrlClientError("x"), RejectedError),
    aiohttp.NonHttpUrlRedirectClientError: (aiohttp.NonHttpUrlRedirectClientError("x"), RejectedError),
    aiohttp.RedirectClientError: (aiohttp.RedirectClientError("x"), TransientError),
    aiohttp.ClientSSLError: (aiohttp.ClientSSLError(PLACE, OSError(1, "x")), NotSent),
    aiohttp.ClientConnectorSSLError: (aiohttp.ClientConnectorSSLError(PLACE, OSError(1, "x")), NotSent),
    aiohttp.ClientConnectorCertificateError: (
        aiohttp.ClientConnectorCertificateError(PLACE, untrusted()),
        NotSent,
    ),
}

SYSTEM: dict[type[BaseException], tuple[Exception, type[Exception]]] = {
    TimeoutError: (TimeoutError(), TransientError),
    ConnectionRefusedError: (refused(), NotSent),
    ConnectionResetError: (ConnectionResetError(errno.ECONNRESET, "x"), TransientError),
    BrokenPipeError: (BrokenPipeError(errno.EPIPE, "x"), TransientError),
    socket.gaierror: (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), NotSent),
    ssl.SSLError: (ssl.SSLError(1, "record layer failure"), TransientError),
    ssl.SSLZeroReturnError: (ssl.SSLZeroReturnError(6, "x"), TransientError),
    ssl.SSLEOFError: (ssl.SSLEOFError(8, "x"), TransientError),
    ssl.SSLCertVerificationError: (untrusted(), NotSent),
    OSError: (OSError(errno.EHOSTUNREACH, "No route to host"), TransientError),
}

TABLE = {**OPENAI, **HTTPX, **AIOHTTP, **SYSTEM}


@pytest.mark.parametrize(("error", "meaning"), TABLE.values(), ids=[kind.__name__ for kind in TABLE])
def test_every_error_has_a_meaning(error: Exception, meaning: type[Exception]) -> None:
    assert isinstance(error, FOREIGN)
    translated = translate(error, CREATE, SERVICE)
    assert type(translated) is meaning
    assert str(translated).endswith((".", '"'))
    assert "acme.example" in str(translated) or "openai library" in str(translated)


def exceptions_of(module: Any, *, named: Iterator[str] | None = None) -> dict[type[BaseException], str]:
    members = ((name, getattr(module, name)) for name in (named or dir(module)))
    return {member: name for name, member in members if inspect.isclass(member) and issubclass(member, Exception)}


@pytest.mark.slow
def test_no_error_of_the_sdk_is_left_out() -> None:
    found = {**exceptions_of(openai), **exceptions_of(import_module("openai._exceptions"))}
    ours = {kind: name for kind, name in found.items() if kind.__module__.startswith("openai")}
    assert {name for kind, name in ours.items() if kind not in TABLE} == OPENAI_NOT_OURS


def test_no_error_of_httpx_is_left_out() -> None:
    found = exceptions_of(httpx2)
    missing = {name for kind, name in found.items() if kind not in TABLE and kind.__module__.startswith("httpx2")}
    assert missing <= {"SSEError", "WebSocketException", "WebSocketDisconnect", "WebSocketUpgradeError"}


def test_no_error_of_aiohttp_is_left_out() -> None:
    found = exceptions_of(aiohttp.client_exceptions)
    missing = {name for kind, name in found.items() if kind not in TABLE and issubclass(kind, aiohttp.ClientError)}
    # Since aiohttp 3.14; the SDK's transport does not use trackers of uploads.
    assert missing <= {"UploadAbortedError"}


def caused(*chain: BaseException) -> Exception:
    for outer, inner in pairwise(chain):
        outer.__cause__ = inner
    assert isinstance(chain[0], Exception)
    return chain[0]


@pytest.mark.parametrize("shown", [httpx2.ConnectTimeout("x"), httpx2.ConnectError("x")])
@pytest.mark.parametrize(
    "beneath", [aiohttp.ServerDisconnectedError(), aiohttp.ClientOSError(errno.ECONNRESET, "x")], ids=named
)
def test_a_lost_connection_is_transient_even_if_it_is_reported_as_never_made(
    shown: Exception, beneath: Exception
) -> None:
    translated = translate(caused(openai.APITimeoutError(REQUEST), shown, beneath), CREATE, SERVICE)
    assert type(translated) is TransientError
    assert "The connection to" in str(translated)


def test_the_underlying_cause_proves_that_nothing_was_sent() -> None:
    beneath = aiohttp.ClientConnectorError(PLACE, refused())
    error = caused(openai.APITimeoutError(REQUEST), httpx2.ConnectTimeout("x"), beneath, refused())
    translated = translate(error, CREATE, SERVICE)
    assert type(translated) is NotSent
    assert "Connection refused" in str(translated)


def test_someone_elses_error_in_the_context_proves_nothing() -> None:
    error = openai.APITimeoutError(REQUEST)
    error.__context__ = aiohttp.ClientConnectorError(PLACE, refused())
    assert type(translate(error, CREATE, SERVICE)) is TransientError


def test_our_own_timeout_during_a_connect_is_no_proof() -> None:
    error = TimeoutError()
    error.__cause__ = asyncio.CancelledError()
    assert type(translate(error, CREATE, SERVICE)) is TransientError


@pytest.mark.parametrize(
    ("status", "plain", "upload", "create", "look"),
    [
        (400, ProviderError, SubmissionRefused, SubmissionRefused, CannotFind),
        (401, RejectedError, RejectedError, RejectedError, RejectedError),
        (402, RejectedError, RejectedError, RejectedError, RejectedError),
        (403, RejectedError, RejectedError, RejectedError, RejectedError),
        (404, RemoteMissing, RejectedError, RejectedError, CannotFind),
        (405, ProviderError, RejectedError, RejectedError, CannotFind),
        (407, RejectedError, RejectedError, RejectedError, RejectedError),
        (408, TransientError, TransientError, TransientError, TransientError),
        (409, TransientError, TransientError, TransientError, TransientError),
        (410, RemoteMissing, RejectedError, RejectedError, CannotFind),
        (413, ProviderError, SubmissionRefused, SubmissionRefused, CannotFind),
        (425, TransientError, TransientError, TransientError, TransientError),
        (429, TransientError, TransientError, TransientError, TransientError),
        (500, TransientError, TransientError, TransientError, TransientError),
        (501, TransientError, RejectedError, RejectedError, CannotFind),
        (503, TransientError, TransientError, TransientError, TransientError),
        (529, TransientError, TransientError, TransientError, TransientError),
    ],
)
def test_every_status_by_kind_of_call(
    status: int, plain: type[Exception], upload: type[Exception], create: type[Exception], look: type[Exception]
) -> None:
    kinds = {CallKind.PLAIN: plain, CallKind.UPLOAD: upload, CallKind.CREATE: create, CallKind.LOOK: look}
    found = {kind: type(of_response(answer(status), HttpCall("do it", kind), SERVICE)) for kind in kinds}
    assert found == kinds


def test_a_quota_of_5xx_is_no_refusal() -> None:
    body = {"error": {"message": "token_limit_exceeded"}}
    assert type(of_response(answer(500, body), CREATE, SERVICE)) is TransientError
    assert type(of_response(answer(429, body), CREATE, SERVICE)) is SubmissionRefused


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 10:01:30 GMT", "date": "Tue, 24 Nov 2026 10:00:00 GMT"}, 90),
        ({"retry-after": "Tue, 24 Nov 2026 09:00:00 GMT", "date": "Tue, 24 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(answer(429, **headers).headers) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "key sk-4711-secret",
        "Incorrect API key provided: sk-47***************cret.",
        '{"error": {"message": "sk-4711-secret"}}',
    ],
)
def test_no_form_of_the_key_is_shown(text: str) -> None:
    Secret("sk-4711-secret").reveal()
    masked = SERVICE.masked(text)
    assert "4711-secret" not in masked
    assert "cret." not in masked


def test_a_key_in_a_url_is_masked_in_its_quoted_form() -> None:
    Secret("a/b+c=").reveal()
    assert SERVICE.masked("?key=a%2Fb%2Bc%3D or a/b+c=") == "?key=… or …"


def test_a_key_is_masked_before_the_text_is_cut() -> None:
    Secret("sk-4711-secret").reveal()
    body = {"error": {"message": "x" * 1_995 + "sk-4711-secret"}}
    refusal = of_response(answer(400, body), CREATE, SERVICE)
    assert isinstance(refusal, SubmissionRefused)
    assert "sk-47" not in refusal.problems[0].message + str(refusal)


def test_a_placeholder_key_is_not_masked() -> None:
    for placeholder in ("none", "x"):
        Secret(placeholder).reveal()
    assert SERVICE.masked("none of x") == "none of x"
