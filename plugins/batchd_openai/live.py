"""One call a row, over connections of our own: the same key, headers and errors as the other calls, without the SDK.

The SDK's typed call takes 18 times as much of a core at 64 calls in flight.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from typing import Literal

import httpx2

from batchd import (
    BatchdError,
    Failure,
    LiveAnswer,
    LiveCall,
    RejectedError,
    TooManyCalls,
    TransientError,
    __version__,
    retry_after,
)

from .http_connection import AnswerTooLong, Reply
from .http_pool import HttpPool, Place, request_head
from .proxies import NO_PROXY, Proxy
from .settings import Access, OpenAISettings
from .translation import FOREIGN, not_json, of_response, translate
from .wire import Call, Kind, Service

MAX_ANSWER = 32_000_000
"""Bytes of the answer to one row, decoded."""
TOO_LARGE = (
    f"The answer has more than {MAX_ANSWER / 1e6:.0f} MB, and batchd reads no more. Set max_tokens in the params of "
    "the route, or look what the service sends."
)
ACCESS_SECONDS = 1.0
_TOO_MANY = frozenset({429, 498, 503, 529})
"""Statuses of a service that takes no more calls at the moment: 498 is Groq's, 529 Anthropic's."""
_OF_A_GATEWAY = frozenset({502, 504, 520, 524})
"""Statuses of what stands before the service: it may have got the call all the same, and work on it."""
_VERSION = re.compile(r"^/v\d+(?=/)")
_ACCEPT = {"Accept": "*/*", "Accept-Encoding": "identity"}
"""Answers are small: to unpack them takes longer than to read them."""
_ASK = Call("answer a request", Kind.ANSWER)


class LiveClient:
    """The calls."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self._pool: HttpPool | None = None
        self._ssl: ssl.SSLContext | None = None
        self._proxy = NO_PROXY
        self._access_at = -ACCESS_SECONDS
        self._access: Access | None = None
        self._heads: dict[str, bytes] = {}
        """With that access, by endpoint: what each call begins with."""
        self.address = settings.base_url
        self.service = Service(settings.base_url, settings.key_where, settings.key_renewal)

    def prepare(self) -> None:
        """Load the CA certificates, which takes about 40 ms. The same as the SDK's client trusts."""
        self._ssl = httpx2.create_ssl_context()

    async def answer(self, call: LiveCall) -> LiveAnswer:
        """Ask one row. See `LiveProvider.answer`."""
        head = self._head("POST", call.endpoint)
        key = f"Idempotency-Key: {call.key}\r\n" if self._settings.idempotency_key else ""
        more = f"{key}Content-Length: {len(call.body)}\r\n\r\n".encode()
        try:
            status, told, body = await self._open().ask(b"%b%b%b" % (head, more, call.body))
        except AnswerTooLong:
            return LiveAnswer(failure=Failure("too_large", TOO_LARGE))
        except FOREIGN as error:
            failure: BatchdError = translate(error, _ASK, self.service)
        else:
            kind = told.get("content-type", "").lower()
            if 200 <= status < 300 and "html" not in kind and "event-stream" not in kind and body.lstrip()[:1] == b"{":
                return LiveAnswer(status, body, told)
            failure = self._failure(Reply(status, told, body), self._url(call.endpoint))
            if type(failure) is not RowRefused:
                raise failure
            return LiveAnswer(status, body, told)
        raise failure

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """One GET of something small, whatever the service answers. Raises batchd's errors where it does not."""
        head = self._head("GET", path, query)
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                return await self._open().ask(head + b"\r\n")
        except AnswerTooLong:
            failure: BatchdError = TransientError(TOO_LARGE, answered=True)
        except FOREIGN as error:
            failure = translate(error, Call("say what it has"), self.service)
        raise failure

    def in_words(self, reply: Reply, what: str) -> str:
        """What an answer says that is not what was asked for, as a sentence."""
        response = self._response(reply, httpx2.URL(self.address))
        call = Call(what)
        return str(
            not_json(response, call, self.service) if reply.status < 300 else of_response(response, call, self.service)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _headers(self, access: Access) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {access.key}", "Content-Type": "application/json", **access.headers}
        headers |= self._proxy.with_each_call
        if self._settings.organization:
            headers["OpenAI-Organization"] = self._settings.organization
        if self._settings.project:
            headers["OpenAI-Project"] = self._settings.project
        return headers

    def _response(self, reply: Reply, url: httpx2.URL) -> httpx2.Response:
        headers = {name: value for name, value in reply.headers.items() if name not in _ENCODED}
        return httpx2.Response(reply.status, headers=headers, content=reply.body, request=httpx2.Request("POST", url))

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> httpx2.URL:
        # The version is the end of the address: "/v1", and "/v4" at Zhipu.
        return httpx2.URL(self.address + _VERSION.sub("", path), params=query or None)

    def _head(self, method: str, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The first lines of a call, with the key as it was a second ago at most.

        It may stand in a file, and there are thousands of calls a second.
        """
        now = time.monotonic()
        if self._access is None or self._access_at + ACCESS_SECONDS < now:
            self._proxy = Proxy.of(self.address)
            self._access, self._access_at = Access.read(self._settings), now
            self._heads.clear()
        head = self._heads.get(path)
        if head is None or method != "POST":
            try:
                url = self._url(path, {**self._access.query, **(query or {})})
                through = self._proxy.url is not None and url.scheme == "http"
                # A proxy is told the whole address, unless it is to be a tunnel.
                target = str(url) if through else url.raw_path.decode()
                usual = {"Host": url.netloc.decode(), "User-Agent": f"batchd/{__version__}", **_ACCEPT}
                head = request_head(method, target, {**usual, **self._headers(self._access)})
            except (httpx2.InvalidURL, ValueError) as error:
                raise RejectedError(
                    f"{self.address} cannot be called: {error}. Correct base_url and headers."
                ) from None
            if method == "POST":
                self._heads[path] = head
        return head

    def _open(self) -> HttpPool:
        if self._pool is None:
            if self._ssl is None:
                self.prepare()
            url = httpx2.URL(self.address)
            secure = url.scheme == "https"
            place = Place(url.raw_host.decode(), url.port or (443 if secure else 80), self._ssl if secure else None)
            self._pool = HttpPool(place, self._proxy, connect_timeout=self._settings.connect_timeout, most=MAX_ANSWER)
        return self._pool

    def _failure(self, reply: Reply, url: httpx2.URL) -> BatchdError:
        status, told, body = reply
        response = self._response(reply, url)
        if 200 <= status < 300:
            if "event-stream" in told.get("content-type", ""):
                return RejectedError(
                    f"{self._settings.base_url} streams its answers though it was not asked to, and batchd reads whole "
                    "answers only. Look in its settings for a way to turn that off."
                )
            return TransientError(str(not_json(response, _ASK, self.service)), answered=True)
        error = of_response(response, _ASK, self.service)
        if isinstance(error, RejectedError):
            return error
        if status in _TOO_MANY:
            return TooManyCalls(str(error), retry_after=retry_after(response.headers), limit=_limit(body))
        if isinstance(error, TransientError):
            return TransientError(
                str(error), retry_after=error.retry_after, answered=status >= 500 and status not in _OF_A_GATEWAY
            )
        return RowRefused(str(error))


class RowRefused(BatchdError):
    """The service refuses this request, and says nothing of others."""


_ENCODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def _limit(body: bytes) -> Literal["requests", "tokens"] | None:
    """What is used up: OpenAI says so as the type of the error."""
    if b'"tokens"' in body:
        return "tokens"
    return "requests" if b'"requests"' in body else None
