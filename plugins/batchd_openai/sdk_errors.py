"""Errors of the SDK, which raises its own around those of the network. Only calls through the SDK import this."""

from __future__ import annotations

from batchd import HTTP_ERRORS, BatchdError, HttpCall, NetworkFault

from . import translation
from .sdk import openai
from .translation import of_response
from .wire import Service

FOREIGN: tuple[type[Exception], ...] = (openai.OpenAIError, *HTTP_ERRORS)
"""Everything that a call through the SDK may raise."""


def translate(error: Exception, call: HttpCall, service: Service) -> BatchdError:
    """The error as one of batchd's. Raise it outside the `except`: the original may quote the key."""
    if isinstance(error, openai.APIStatusError):
        return of_response(error.response, call, service)
    if isinstance(NetworkFault(error).chain[-1], openai.APITimeoutError):
        return service.silent(call)
    of_the_network = openai.APIConnectionError | openai.APIResponseValidationError
    by_the_sdk = isinstance(error, openai.OpenAIError) and not isinstance(error, of_the_network)
    return translation.translate(error, call, service, library="openai" if by_the_sdk else None)
