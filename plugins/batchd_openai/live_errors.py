"""Errors of aiohttp, through which live calls go. Only they import this."""

from __future__ import annotations

import aiohttp

from batchd import BatchdError

from . import translation
from .wire import Call, Service

FOREIGN: tuple[type[Exception], ...] = (aiohttp.ClientError, *translation.FOREIGN)
"""Everything that a live call may raise."""
_ERRORS = translation.Errors(
    unusable=(aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError),
    by_a_proxy=(aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError),
    no_such_name=(aiohttp.ClientConnectorDNSError,),
    nothing_sent=(aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError),
)


def translate(error: Exception, call: Call, service: Service) -> BatchdError:
    """The error as one of batchd's. Raise it outside the `except`: the original may quote the key."""
    return translation.translate(error, call, service, _ERRORS)
