"""One call a row, straight over aiohttp: the same key, headers and errors as the other calls, without the SDK.

The SDK's typed call takes 13 times as much of a core at 64 calls in flight.
"""

from __future__ import annotations

import asyncio
import codecs
import re
import ssl
import time
from collections.abc import Mapping
from typing import Literal

import aiohttp
import httpx2

from batchd import (
    HTTP_ERRORS,
    BatchdError,
    BoundedAnswers,
    CallKind,
    Failure,
    HttpAnswer,
    HttpCall,
    LiveAnswer,
    LiveCall,
    RejectedError,
    TooManyCalls,
    TransientError,
    retry_after,
)

from .proxies import NO_PROXY, Proxy
from .settings import Access, OpenAISettings
from .translation import of_answer, translate
from .wire import Service

MAX_ANSWER = 32_000_000
"""Bytes of the answer to one row, decoded."""
TOO_LARGE = (
    f"The answer has more than {MAX_ANSWER / 1e6:.0f} MB, and batchd reads no more. Set max_tokens in the params of "
    "the route, or check what the service sends."
)
ACCESS_SECONDS = 1.0
_TOO_MANY = frozenset({429, 498, 503, 529})
"""Statuses of a service that takes no more calls at the moment: 498 is Groq's, 529 Anthropic's."""
_OF_A_GATEWAY = frozenset({502, 504, 520, 524})
"""Statuses of a gateway. The service behind it may have received the call all the same, and work on it."""
_VERSION = re.compile(r"^/v\d+(?=/)")
_REFUSAL = re.compile(rb'\s*\{\s*"(error|code|msg|message|success)"\s*:(?!\s*null)')
_ASK = HttpCall("answer a request", CallKind.ANSWER)


class LiveClient:
    """The calls. Only `_call` knows the HTTP library."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._proxy = NO_PROXY
        self._access: tuple[float, Access] | None = None
        self._sent: Mapping[str, str] = {}
        """The headers of each call, made from `_access`."""
        self.address = settings.base_url
        self.service = Service(settings.base_url, settings.key_where, settings.key_renewal)

    def prepare(self, tls: ssl.SSLContext | None = None) -> None:
        """Load the CA certificates that the SDK's client trusts as well, which takes about 40 ms."""
        self._tls = tls or httpx2.create_ssl_context()

    async def answer(self, call: LiveCall) -> LiveAnswer:
        """Ask one row. See `LiveProvider.answer`."""
        access = self._read_access()
        # The version is the end of the address: "/v1", and "/v4" at Zhipu.
        url = self._settings.base_url + _VERSION.sub("", call.endpoint)
        headers = self._sent
        if self._settings.idempotency_key:
            headers = {**headers, "Idempotency-Key": call.key}
        try:
            # A BytesPayload, or aiohttp would try ten kinds of payloads.
            status, told, body = await self._call("POST", url, headers, access.query, aiohttp.BytesPayload(call.body))
        except TooLarge:
            return LiveAnswer(failure=Failure("too_large", TOO_LARGE))
        except HTTP_ERRORS as error:
            failure: BatchdError = translate(error, _ASK, self.service)
        else:
            kind = told.get("content-type", "").lower()
            body = body.removeprefix(codecs.BOM_UTF8)
            if 200 <= status < 300 and "html" not in kind and "event-stream" not in kind and body.lstrip()[:1] == b"{":
                if _REFUSAL.match(body):
                    # A few services refuse with a success. A refused account is raised, or every row would get it.
                    refused = of_answer(HttpAnswer(status, told, body), httpx2.URL(url), _ASK, self.service)
                    if isinstance(refused, RejectedError):
                        raise refused
                return LiveAnswer(status, body, told)
            failure = self._failure(HttpAnswer(status, told, body), url)
            if type(failure) is not RowRefused:
                raise failure
            return LiveAnswer(status, body, told)
        raise failure

    async def get(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """Send a GET for something small. Return any answer; raise one of batchd's errors if there is none."""
        access = self._read_access()
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                return await self._call("GET", self.address + path, self._sent, {**access.query, **query})
        except TooLarge:
            failure: BatchdError = TransientError(
                f"{self.address}{path} sends more than {MAX_ANSWER / 1e6:.0f} MB, and batchd reads no more. "
                f"Check {self.service.to_check} and any proxy in between.",
                answered=True,
            )
        except HTTP_ERRORS as error:
            failure = translate(error, HttpCall("say what it has"), self.service)
        raise failure

    def in_words(self, reply: HttpAnswer, what: str) -> str:
        """Describe in a sentence an answer that is not what was asked for."""
        call = HttpCall(what)
        if reply.status < 300:
            return str(self.service.not_json(call, page=reply.is_page))
        return str(of_answer(reply, httpx2.URL(self.address), call, self.service))

    async def _call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        data: aiohttp.BytesPayload | None = None,
    ) -> HttpAnswer:
        """Make one call. Follow no redirect: it would take the key along."""
        async with self._open().request(
            method,
            url,
            data=data,
            headers=headers,
            params=query or None,
            allow_redirects=False,
            proxy_headers=self._proxy.with_tunnel,
        ) as response:
            most = MAX_ANSWER if response.status < 400 else BoundedAnswers.max_error
            content = response.content
            whole: bytes | bytearray = await content.readany()
            if not content.at_eof():
                whole = bytearray(whole)
                while not content.at_eof() and len(whole) <= most:
                    whole += await content.readany()
            if len(whole) > most and response.status < 400:
                raise TooLarge
            return HttpAnswer(response.status, response.headers, bytes(whole))

    async def aclose(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _headers(self, access: Access) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {access.key}", "Content-Type": "application/json", **access.headers}
        headers |= self._proxy.with_each_call
        if self._settings.organization:
            headers["OpenAI-Organization"] = self._settings.organization
        if self._settings.project:
            headers["OpenAI-Project"] = self._settings.project
        return headers

    def _read_access(self) -> Access:
        """The credentials, read at most a second ago: the key may be in a file, and many calls begin each second."""
        now = time.monotonic()
        if self._access is None or self._access[0] + ACCESS_SECONDS < now:
            self._proxy = Proxy.of(self.address)
            self._access = now, Access.read(self._settings)
            self._sent = self._headers(self._access[1])
        return self._access[1]

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            tls = self._tls = self._tls or httpx2.create_ssl_context()
            connect = self._settings.connect_timeout
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=tls),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
                cookie_jar=aiohttp.DummyCookieJar(),
                # aiohttp would look the proxy up for each call, in a thread: more work than the call itself.
                proxy=self._proxy.url,
            )
        return self._session

    def _failure(self, reply: HttpAnswer, url: str) -> BatchdError:
        status, told, body = reply
        if 200 <= status < 300:
            if "event-stream" in told.get("content-type", "") or body.lstrip().startswith((b"data:", b"event:")):
                return self.service.streams()
            return self.service.not_json(_ASK, page=reply.is_page, answered=True)
        error = of_answer(reply, httpx2.URL(url), _ASK, self.service)
        if isinstance(error, RejectedError):
            return error
        if status in _TOO_MANY:
            return TooManyCalls(str(error), retry_after=retry_after(told), limit=_limit(body))
        if isinstance(error, TransientError):
            return TransientError(
                str(error), retry_after=error.retry_after, answered=status >= 500 and status not in _OF_A_GATEWAY
            )
        return RowRefused(str(error))


class TooLarge(Exception):
    """The answer has more than `MAX_ANSWER` bytes."""


class RowRefused(BatchdError):
    """The service refuses this request, which says nothing about others."""


def _limit(body: bytes) -> Literal["requests", "tokens"] | None:
    """Which limit is used up. OpenAI names it in the type of the error."""
    if b'"tokens"' in body:
        return "tokens"
    return "requests" if b'"requests"' in body else None
