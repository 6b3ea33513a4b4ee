"""Calls to one service over aiohttp: bounded, without redirects, and raising only batchd's errors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import msgspec

from batchd import (
    HTTP_ERRORS,
    BatchdError,
    BoundedAnswers,
    HttpAnswer,
    HttpCall,
    HttpService,
    Json,
    Pacing,
    TransientError,
    arriving,
    covered,
    with_retries,
)

from .refusals import of_answer
from .settings import InlineSettings
from .splitter import Cut, Item, Lines, Splitter, Take, TooLarge

_LINES = ("jsonl", "ndjson", "jsonlines", "json-lines")
"""Content types with one item on each line."""
MAX_RECORDS = 10_000
"""Objects on one page of a list."""


class Enough(Exception):
    """Raised by `take` when no more of the answer is wanted. What stands before the list is then returned."""


@dataclass(frozen=True, slots=True)
class Items:
    """What to do with the items of an answer's long lists."""

    lists: Collection[str]
    take: Take
    again: Callable[[], None] = lambda: None
    """Called before each try, to undo what an earlier try has given."""


class Client:
    """The service, as the rest of the plugin calls it."""

    def __init__(self, settings: InlineSettings, pacing: Pacing) -> None:
        self._settings = settings
        self._pacing = pacing
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self.service = HttpService(settings.base_url, settings.api_key.where, settings.api_key.renewal)

    def prepare(self) -> ssl.SSLContext:
        """Load the CA certificates that the system trusts, which takes about 40 ms."""
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        return self._tls

    async def get(
        self, call: HttpCall, path: str, query: Mapping[str, str] | None = None, *, items: Items | None = None
    ) -> Json:
        """The JSON answer to a GET, with a few retries. Items of its long lists go to `items` as they come."""

        async def once() -> Json:
            if items is not None:
                items.again()
            async with self._answer(call, "GET", path, self._settings.request_timeout, params=query) as response:
                return await self._read(call, response, items)

        return await with_retries(self._pacing, once)

    async def page(self, call: HttpCall, path: str, query: Mapping[str, str], name: str) -> Mapping[str, Json]:
        """A page with the objects in its list of this name; empty if it has no such list."""
        found: list[Mapping[str, Json]] = []

        def take(item: Item) -> None:
            with suppress(msgspec.DecodeError):
                record = covered(msgspec.json.decode(item.raw))
                if isinstance(record, Mapping):
                    found.append(record)
            if len(found) > MAX_RECORDS:
                raise TooLarge(f"more than {MAX_RECORDS:,} objects")

        page = await self.get(call, path, query, items=Items({name}, take, found.clear))
        return {**page, name: found} if isinstance(page, Mapping) and isinstance(page.get(name), list) else {}

    async def order(self, call: HttpCall, method: str, path: str) -> None:
        """Send a DELETE, or a POST without a body, with a few retries. The answer is ignored."""

        async def once() -> None:
            async with self._answer(call, method, path, self._settings.request_timeout):
                pass

        await with_retries(self._pacing, once)

    async def create(
        self, call: HttpCall, path: str, body: AsyncIterator[bytes], *, size: int, key: str, within: float
    ) -> Json:
        """The JSON answer to the one POST that costs money. It is sent exactly once, whatever the outcome."""
        headers = {"Content-Type": "application/json", "Content-Length": str(size), "Idempotency-Key": key}
        return await self._within(within, call, path, data=body, headers=headers)

    async def upload(self, call: HttpCall, path: str, file: Path, name: str, within: float) -> Json:
        """The JSON answer to a POST of a file, without retries."""
        with file.open("rb") as content:
            form = aiohttp.FormData()
            form.add_field("file", content, filename=name, content_type="application/jsonl")
            return await self._within(within, call, path, data=form)

    async def lines(self, call: HttpCall, path: str, items: Items) -> None:
        """Give the lines of a file to `items` as they come, with a few retries."""

        async def once() -> None:
            items.again()
            async with self._answer(call, "GET", path, self._settings.request_timeout) as response:
                await self._read_lines(call, response, items)

        await with_retries(self._pacing, once)

    async def aclose(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _within(self, seconds: float, call: HttpCall, path: str, **sent: Any) -> Json:
        """Send a POST with one limit for the whole call: a service is silent for as long as it reads."""
        try:
            async with asyncio.timeout(seconds), self._answer(call, "POST", path, None, **sent) as response:
                return await self._read(call, response, None)
        except TimeoutError:
            pass
        raise TransientError(
            f"{self.service.base_url} did not answer within {seconds:.0f} s when asked to {call.what}."
        )

    async def _read(self, call: HttpCall, response: aiohttp.ClientResponse, items: Items | None) -> Json:
        kind = response.headers.get("Content-Type", "").lower()
        if "html" in kind:
            raise self.service.not_json(call, page=True)
        if items and any(each in kind for each in _LINES):
            return await self._read_lines(call, response, items)
        splitter = Splitter(items.lists, items.take) if items else Splitter((), lambda _: None)
        try:
            async for chunk in self._chunks(call, response):
                splitter.feed(chunk)
            return covered(splitter.rest())
        except Enough:
            with suppress(ValueError, RecursionError):
                return covered(splitter.before())
            return {}
        except TooLarge as error:
            failure: BatchdError = self.service.endless(str(error), call)
        except Cut:
            failure = TransientError(
                f"The answer of {self.service.base_url} ends in its middle when asked to {call.what}."
            )
        except (ValueError, RecursionError):
            failure = self.service.not_json(call, page=False)
        # Raised outside the `except`, so that the original is not chained: a logged traceback would show its text.
        raise failure

    async def _read_lines(self, call: HttpCall, response: aiohttp.ClientResponse, items: Items) -> Json:
        """Read one item from each line: some gateways send nothing else."""
        lines = Lines(items.take)
        with suppress(Enough):
            async for chunk in self._chunks(call, response):
                lines.feed(chunk)
            lines.end()
        return {}

    def _chunks(self, call: HttpCall, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        return arriving(response.content.iter_any(), HTTP_ERRORS, lambda error: self.service.of_fault(error, call))

    @asynccontextmanager
    async def _answer(
        self, call: HttpCall, method: str, path: str, silence: float | None, **sent: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a successful answer to be read. Raise anything else as one of batchd's errors."""
        headers = {**self._settings.sent_headers(), **sent.pop("headers", {})}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_timeout, sock_read=silence)
        url = self._settings.base_url + path
        try:
            response = await self._open().request(
                method, url, headers=headers, timeout=timeout, allow_redirects=False, **sent
            )
        except HTTP_ERRORS as error:
            failure = self.service.of_fault(error, call)
        else:
            try:
                if not 200 <= response.status < 300:
                    raise await self._refusal(call, response)
                yield response
            finally:
                response.close()
            return
        raise failure

    async def _refusal(self, call: HttpCall, response: aiohttp.ClientResponse) -> BatchdError:
        body, most = b"", BoundedAnswers.max_error
        with suppress(*HTTP_ERRORS):  # the status is known, so what has arrived is enough
            while len(body) < most and (more := await response.content.read(most)):
                body += more
        return of_answer(HttpAnswer(response.status, response.headers, body[:most]), call, self.service)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.prepare()), cookie_jar=aiohttp.DummyCookieJar(), trust_env=True
            )
        return self._session
