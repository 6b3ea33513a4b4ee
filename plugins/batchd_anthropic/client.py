"""Calls to the service: the SDK's client without its retries, and our own decoding and errors around it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

import anthropic
import httpx2

from batchd import (
    BatchdError,
    BoundedAnswers,
    HttpAnswer,
    HttpCall,
    Json,
    Pacing,
    TransientError,
    arriving,
    with_retries,
)

from .errors import FOREIGN, Service, not_json, of_answer, of_failure
from .settings import AnthropicSettings

_PACING = Pacing(within=math.inf)


class BoundedClient(BoundedAnswers, anthropic.DefaultAioHttpClient):
    """Reads no more bytes than the answer to one row can have."""

    max_answer = 32_000_000


class Client:
    """The service, as the rest of the plugin calls it. Its methods raise only batchd's errors."""

    def __init__(self, settings: AnthropicSettings) -> None:
        self.settings = settings
        self.service = Service(settings.base_url, settings.api_key.where, settings.api_key.renewal)
        self._http: BoundedClient | None = None
        self._opened: tuple[str, anthropic.AsyncAnthropic] | None = None

    def prepare(self) -> BoundedClient:
        """Create the HTTP client ahead of the first call: loading the CA certificates takes about 40 ms."""
        if self._http is None:
            self._http = BoundedClient(timeout=self._timeout(self.settings.request_timeout), limits=_NO_LIMIT)
        return self._http

    async def get(self, call: HttpCall, *path: str, query: Mapping[str, str | int] | None = None) -> Json:
        """The JSON that a GET brings, with a few retries."""
        return await self._repeatedly("get", call, path, {"params": dict(query or {})})

    async def post(self, call: HttpCall, *path: str) -> Json:
        """The same for a POST that may be repeated."""
        return await self._repeatedly("post", call, path, {})

    async def delete(self, call: HttpCall, *path: str) -> Json:
        """The same for a DELETE."""
        return await self._repeatedly("delete", call, path, {})

    async def create(
        self, call: HttpCall, content: AsyncIterable[bytes], size: int, *, key: str, within: float
    ) -> Json:
        """The answer to the one POST that costs money, of `size` bytes. It is sent exactly once."""
        sent = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal sent
            async for chunk in content:
                # Counted before it is handed over: what is buffered may still go out after the call has broken off.
                sent += len(chunk)
                yield chunk

        options = {
            "timeout": self._timeout(within),
            "headers": {"Content-Length": str(size), "Content-Type": "application/json", "Idempotency-Key": key},
        }
        path = ("messages", "batches")
        # A body that is cut off before its end is not JSON, so the service creates nothing from it.
        answer = await self._send(
            "post", call, path, options, content=counted(), within=within, cut_off=lambda: sent < size
        )
        return self._json(answer, call)

    async def ask(self, call: HttpCall, body: bytes, *, key: str) -> HttpAnswer:
        """Ask for one message. Return the answer as it came, if it is a success."""
        options = {
            "timeout": httpx2.Timeout(None, connect=self.settings.connect_timeout),
            "headers": {"Content-Type": "application/json", "Idempotency-Key": key},
        }
        answer = await self._send("post", call, ("messages",), options, content=body)
        if not 200 <= answer.status < 300:
            raise of_answer(answer, call, self.service)
        return answer

    async def look(self, call: HttpCall, *path: str, query: Mapping[str, str | int]) -> HttpAnswer:
        """Send a GET for something small. Return the answer, whatever its status."""
        return await self._send("get", call, path, {"params": dict(query)})

    @asynccontextmanager
    async def streaming(self, call: HttpCall, *path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a long answer as they arrive, without retries."""
        options: Any = {"headers": {"X-Stainless-Raw-Response": "stream", "Accept-Encoding": "identity"}}
        sdk = self._open()
        failure: BatchdError
        try:
            # This header of the SDK's own makes it leave the body unread.
            response = await sdk.get(_path(path), cast_to=httpx2.Response, options=options)
        except anthropic.APIStatusError as error:
            failure = of_answer(HttpAnswer.of(error.response), call, self.service)
        except FOREIGN as error:
            failure = of_failure(error, call, self.service)
        else:
            try:
                yield self._chunks(response, call)
            finally:
                with suppress(*FOREIGN):
                    await response.aclose()
            return
        raise failure

    async def _chunks(self, response: httpx2.Response, call: HttpCall) -> AsyncIterator[bytes]:
        announced = response.headers.get("content-length", "")
        chunks = arriving(response.aiter_bytes(), FOREIGN, lambda error: of_failure(error, call, self.service))
        arrived = 0
        async for chunk in chunks:
            if not arrived and HttpAnswer.of(response, chunk).is_page:
                raise not_json(HttpAnswer.of(response, chunk), call, self.service)
            arrived += len(chunk)
            yield chunk
        if announced.isdecimal() and arrived < int(announced):
            raise TransientError(f"Only {arrived} of {announced} bytes arrived when {call.what} was asked for.")

    async def aclose(self) -> None:
        """Close the connections."""
        http, self._http, self._opened = self._http, None, None
        if http is not None:
            await http.aclose()

    async def _repeatedly(self, method: str, call: HttpCall, path: tuple[str, ...], options: Mapping[str, Any]) -> Json:
        async def once() -> Json:
            return self._json(await self._send(method, call, path, options), call)

        return await with_retries(_PACING, once)

    def _json(self, answer: HttpAnswer, call: HttpCall) -> Json:
        if not 200 <= answer.status < 300:
            raise of_answer(answer, call, self.service)
        decoded = answer.decoded()
        if not isinstance(decoded, dict):
            raise not_json(answer, call, self.service)
        return decoded

    async def _send(
        self,
        method: str,
        call: HttpCall,
        path: tuple[str, ...],
        options: Mapping[str, Any],
        *,
        within: float | None = None,
        cut_off: Callable[[], bool] = lambda: False,
        **sent: bytes | AsyncIterable[bytes],
    ) -> HttpAnswer:
        """Make one call. Return the answer, whatever its status."""
        sdk = self._open()
        try:
            async with asyncio.timeout(within):
                response = await getattr(sdk, method)(_path(path), cast_to=httpx2.Response, options=options, **sent)
        except anthropic.APIStatusError as error:
            return HttpAnswer.of(error.response)
        except FOREIGN as error:
            failure = of_failure(error, call, self.service, cut_off=cut_off())
        else:
            return HttpAnswer.of(response)
        raise failure

    def _open(self) -> anthropic.AsyncAnthropic:
        key = self.settings.api_key.for_header()
        if self._opened is None or self._opened[0] != key:
            self._opened = key, self._sdk(key)
        return self._opened[1]

    def _sdk(self, key: str) -> anthropic.AsyncAnthropic:
        settings = self.settings
        client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=settings.base_url,
            timeout=self._timeout(settings.request_timeout),
            max_retries=0,
            http_client=self.prepare(),
            open_telemetry=False,
        )
        # The SDK reads more headers from the environment. They would be sent to another company.
        # The SDK itself sends the key as a bearer token only; relays, and the service's own pages, know this header.
        headers = {"anthropic-version": settings.version, "x-api-key": key}
        if settings.beta:
            headers["anthropic-beta"] = ",".join(settings.beta)
        client._custom_headers = headers  # noqa: SLF001
        return client

    def _timeout(self, silence: float) -> httpx2.Timeout:
        return httpx2.Timeout(silence, connect=min(silence, self.settings.connect_timeout))


_NO_LIMIT = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
"""batchd itself decides how many calls are under way."""


def _path(path: tuple[str, ...]) -> str:
    return "/v1" + "".join(f"/{quote(segment, safe='')}" for segment in path)
