"""Every error of aiohttp, through which live calls go, is translated; a new one in the library fails this test."""

from __future__ import annotations

import errno
import ssl

import aiohttp
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from batchd import NotSent, RejectedError, TransientError
from batchd_openai.live_errors import FOREIGN, translate
from batchd_openai.wire import Call, Kind, Service

SERVICE = Service("https://acme.example/v1", "the environment variable ACME_KEY")
CALL = Call("answer a request", Kind.ANSWER)

INFO = RequestInfo(URL("https://acme.example"), "POST", CIMultiDictProxy(CIMultiDict()), URL("https://acme.example"))
PLACE = ConnectionKey("acme.example", 443, True, None, None, None, None)


def refused() -> OSError:
    return ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")


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


def test_every_error_has_a_meaning() -> None:
    wrong = []
    for kind, (error, meaning) in AIOHTTP.items():
        translated = translate(error, CALL, SERVICE)
        fits = isinstance(error, FOREIGN) and type(translated) is meaning and "acme.example" in str(translated)
        if not fits or not str(translated).endswith((".", '"')):
            wrong.append(f"{kind.__name__}: {type(translated).__name__}: {translated}")
    assert wrong == []
    found = [getattr(aiohttp.client_exceptions, name) for name in dir(aiohttp.client_exceptions)]
    named = {
        each for each in found if isinstance(each, type) and issubclass(each, aiohttp.ClientError)
    } - AIOHTTP.keys()
    # Since aiohttp 3.14; batchd does not use trackers of uploads.
    assert {each.__name__ for each in named} <= {"UploadAbortedError"}


def test_a_proxy_that_lets_nothing_through_is_quoted_without_its_address() -> None:
    error = aiohttp.ClientHttpProxyError(INFO, (), status=403, message="Not to this host")
    assert "the proxy answered with status 403 (Not to this host)" in str(translate(error, CALL, SERVICE))
