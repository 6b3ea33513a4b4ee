"""Why an HTTP call by aiohttp broke: whether anything was sent, and what to tell people."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from functools import cached_property

from ..secrets.known import covered

_MAX_TEXT = 500
_BY_SYSTEM = (ssl.SSLCertVerificationError, socket.gaierror, ConnectionRefusedError)


class NetworkFault:
    """The exception of a call without an answer, with the exceptions that caused it; the first cause is last.

    >>> fault = NetworkFault(ConnectionRefusedError(111, "Connection refused"))
    >>> fault.nothing_sent, fault.reason, fault.advice
    (True, 'Connection refused', 'Check base_url and the network.')
    """

    def __init__(self, error: BaseException) -> None:
        self.chain = tuple(_causes(error))

    def has(self, *kinds: type[BaseException]) -> bool:
        """Whether the exception, or one of its causes, is one of these."""
        return any(isinstance(each, kinds) for each in self.chain)

    @cached_property
    def nothing_sent(self) -> bool:
        """Whether the fault proves that the service has received nothing, so that a paid call may be repeated at once.

        If there is an exception of aiohttp, it decides: libraries above aiohttp also report a connection that was lost
        at once as one that could not be made.
        """
        import aiohttp

        by_aiohttp = [each for each in self.chain if isinstance(each, aiohttp.ClientError)]
        before = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ConnectionTimeoutError)
        return any(isinstance(each, before) for each in by_aiohttp) if by_aiohttp else self.has(*_BY_SYSTEM)

    @cached_property
    def reason(self) -> str:
        """What happened, without a full stop: the deepest exception with a text tells it best."""
        import aiohttp

        for each in reversed(self.chain):
            if isinstance(each, ConnectionError) and each.errno:
                return os.strerror(each.errno)
            if isinstance(each, OSError) and isinstance(each.strerror, str) and each.strerror:
                return covered(each.strerror)
            if isinstance(each, aiohttp.ClientHttpProxyError):
                return covered(f"the proxy answered with status {each.status} ({each.message})")
            # This number is aiohttp's own, not a status of the service.
            text = " ".join(str(each).split()).removeprefix("400, message: ")
            if text:
                return covered(text)[:_MAX_TEXT].rstrip(".")
        return type(self.chain[0]).__name__

    @cached_property
    def advice(self) -> str:
        """What to check, as a sentence, if the service could not be reached."""
        import aiohttp

        if self.has(ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError):
            return (
                "Its certificate is not trusted here: install the CA certificates (or point SSL_CERT_FILE at them), "
                "check the clock, or correct base_url."
            )
        if self.has(ssl.SSLError):
            return (
                "It does not speak TLS as it should: check whether base_url should begin with http://, and the proxy."
            )
        if self.has(socket.gaierror, aiohttp.ClientConnectorDNSError):
            return "Its name cannot be resolved: check base_url and this machine's DNS."
        if self.has(aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError):
            return "The proxy does not let it through: check HTTPS_PROXY."
        return "Check base_url and the network."


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        # Only causes: a context may be another call's error, which proves nothing about this one.
        current = current.__cause__
