"""An HTTP client for SDKs that follows no redirect, and limits how much of an answer it reads.

A service, or a proxy in its place, may send JSON without end, or a megabyte of gzip that unpacks to a gigabyte. An SDK
reads each answer into memory as a whole, so its HTTP client must set the limit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, ClassVar

import aiohttp
import httpx2

from ..errors import BatchdError

HTTP_ERRORS: tuple[type[Exception], ...] = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    httpx2.StreamError,
    aiohttp.ClientError,
    OSError,
)
"""Everything that a call may raise. OSError includes ssl's errors, timeouts and the resolver's errors."""
ENCODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that are not true of a decoded body."""


class AnswerTooLarge(httpx2.StreamError):
    """The service sends more than any answer of this kind has."""


class BoundedAnswers(httpx2.AsyncClient):
    """A base class to name before the HTTP client of an SDK.

    A redirect is not followed: the key, the rows, and a create that has been carried out already would go with it.
    """

    max_answer: ClassVar[int]
    """The most bytes of an answer that is no stream, after decoding."""
    max_error: ClassVar[int] = 100_000
    """Bytes that are read of an error. The rest is left out: the status is what counts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(follow_redirects=False, **options)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send the request and read the answer within the limits. A stream that is no error is left to its reader."""
        response = await super().send(request, stream=True, **options)
        if response.is_success and stream:
            return response
        try:
            content = await (self._whole(response) if response.is_success else self._beginning(response))
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in ENCODED]
        return httpx2.Response(
            response.status_code, headers=headers, content=content, request=request, extensions=response.extensions
        )

    def judge(self, content: bytearray) -> None:
        """Raise AnswerTooLarge if the content would take too much memory, although it has few enough bytes."""

    async def _whole(self, response: httpx2.Response) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > self.max_answer:
                raise AnswerTooLarge(f"more than {self.max_answer / 1e6:.0f} MB")
        self.judge(content)
        return bytes(content)

    async def _beginning(self, response: httpx2.Response) -> bytes:
        content = bytearray()
        # What arrived is enough: the status has come.
        with suppress(httpx2.HTTPError):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > self.max_error:
                    break
        return bytes(content[: self.max_error])


async def arriving(
    chunks: AsyncIterator[bytes], foreign: tuple[type[Exception], ...], translate: Callable[[Exception], BatchdError]
) -> AsyncIterator[bytes]:
    """Yield the chunks of a body, and translate network errors: an SDK does not translate those of a stream."""
    while True:
        try:
            chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except foreign as error:
            failure = translate(error)
            break
        # Outside the `try`: what the caller raises (a full disk, say) is not the service's fault.
        yield chunk
    raise failure
