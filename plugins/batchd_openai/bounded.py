"""The HTTP client of the plugin: it follows no redirect, and reads no more of an answer than one of its kind can have.

A service, or a proxy in its place, may send JSON without end, or a megabyte of gzip that unpacks to a
gigabyte. The SDK reads each answer into memory as a whole, so the limit stands below it.
"""

from __future__ import annotations

from typing import Any

import httpx2
import openai

from .translation import AnswerTooLarge
from .wire import MAX_ERROR

MAX_ANSWER = 8_000_000
"""Bytes of JSON, decoded: a page of 10,000 files has about 3.5 million."""
MAX_VALUES = 400_000
"""Values of JSON, counted by what stands between them: each takes up to 25 times as much memory as in the answer."""

_ENCODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class BoundedClient(openai.DefaultAioHttpClient):
    """Follows no redirect: with it would go the key, the rows, and a create that has been carried out already."""

    def __init__(self, **options: Any) -> None:
        super().__init__(follow_redirects=False, **options)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """The answer, read into memory within the limits. A stream that is no error is left to its reader."""
        response = await super().send(request, stream=True, **options)
        if response.is_success and stream:
            return response
        try:
            content = await (_whole(response) if response.is_success else _beginning(response))
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _ENCODED]
        return httpx2.Response(
            response.status_code, headers=headers, content=content, request=request, extensions=response.extensions
        )


async def _whole(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise AnswerTooLarge(f"more than {MAX_ANSWER / 1e6:.0f} MB")
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MAX_VALUES:
        raise AnswerTooLarge(f"more than {MAX_VALUES:,} values")
    return bytes(content)


async def _beginning(response: httpx2.Response) -> bytes:
    content = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_ERROR:
                break
    except httpx2.HTTPError:
        pass  # what arrived is enough: the status has come
    return bytes(content[:MAX_ERROR])
