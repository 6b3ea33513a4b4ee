"""Calls to one service: the SDK's client, with our own retries, decoding and errors around it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO, Any
from urllib.parse import quote, urlencode

import httpx2

from batchd import (
    AnswerTooLarge,
    BatchdError,
    BoundedAnswers,
    CallKind,
    HttpAnswer,
    HttpCall,
    Json,
    ProviderError,
    TransientError,
    arriving,
    read_id,
    with_retries,
)

from .normalise import unwrap
from .pacing import OpenAIPacing
from .sdk import openai
from .sdk_errors import FOREIGN, translate
from .settings import Access, OpenAISettings
from .translation import storage_of
from .wire import UNREADABLE, Service

_PIECE = 1 << 18
MAX_VALUES = 400_000
"""JSON values in an answer, counted by their commas and brackets. In memory, a value can take 25 times its text."""


class BoundedClient(BoundedAnswers, openai.DefaultAioHttpClient):
    """Reads no larger answers. For comparison, a page of 10,000 files has about 3.5 million bytes."""

    max_answer = 8_000_000

    def judge(self, content: bytearray) -> None:
        """Raise AnswerTooLarge if there are too many values."""
        if content.count(b",") + content.count(b"[") + content.count(b"{") > MAX_VALUES:
            raise AnswerTooLarge(f"more than {MAX_VALUES:,} values")


class Client:
    """The service, as the rest of the plugin calls it. Its methods raise only batchd's errors."""

    def __init__(self, settings: OpenAISettings, pacing: OpenAIPacing) -> None:
        self.settings = settings
        self.pacing = pacing
        self.service = Service(settings.base_url, settings.key_where, settings.key_renewal)
        self._http: httpx2.AsyncClient | None = None
        self._opened: tuple[Access, openai.AsyncOpenAI] | None = None

    def prepare(self, tls: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
        """Create the HTTP client ahead of the first call: loading the CA certificates takes about 40 ms."""
        if self._http is None:
            trusted = tls or httpx2.create_ssl_context()
            self._http = BoundedClient(verify=trusted, timeout=self._timeout(self.settings.request_timeout))
        return self._http

    async def get(self, call: HttpCall, *path: str, query: Mapping[str, str | int] | None = None) -> Json:
        """The answer to a GET, with a few retries."""
        options = {"params": dict(query or {})}
        return await with_retries(self.pacing, lambda: self._json("get", call, _quoted(path), options=options))

    async def described(self, file: str) -> Mapping[str, Json]:
        """What the service says of a file; empty if it does not have the file, or does not describe files."""
        try:
            return unwrap(await self.get(HttpCall(f"describe the file {file}", about=file), "files", file))
        except TransientError:
            raise
        except ProviderError:
            return {}

    async def post(self, call: HttpCall, *path: str) -> None:
        """Send a POST that may be repeated. Its answer is ignored."""
        await with_retries(self.pacing, lambda: self._response("post", call, _quoted(path)))

    async def delete(self, call: HttpCall, *path: str) -> None:
        """Send a DELETE, with a few retries."""
        await with_retries(self.pacing, lambda: self._response("delete", call, _quoted(path)))

    async def post_once(
        self,
        call: HttpCall,
        path: str,
        body: Mapping[str, Json],
        *,
        within: float,
        headers: Mapping[str, str],
        file: tuple[str, IO[bytes], str] | None = None,
    ) -> Json:
        """The answer to a POST without retries: only the caller knows what a lost answer left behind.

        A file is passed open: the SDK would read a path or bytes into memory as a whole.
        """
        kind = {"Content-Type": "multipart/form-data"} if file else {}
        options = {"headers": {**kind, **headers}, "timeout": self._timeout(within)}
        files = [("file", file)] if file else None
        return await self._json("post", call, path, within=within, body=dict(body), files=files, options=options)

    async def upload_to_storage(
        self, call: HttpCall, path: str, fields: Mapping[str, str], file: IO[bytes], size: int, *, within: float
    ) -> str | None:
        """Put a file into the storage that the service names, and have the service process it. Return its id, or None.

        The storage gets the rows, and nothing else of ours: no key.
        """
        options: Any = {
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "timeout": self._timeout(self.settings.request_timeout),
        }
        form = urlencode(fields).encode()
        service, sdk = self.service, self._open()
        try:
            answer = await sdk.post(path, cast_to=httpx2.Response, content=form, options=options)
        except FOREIGN as error:
            target, headers = storage_of(error), getattr(getattr(error, "response", None), "headers", {})
            name = headers.get("x-together-file-id") or headers.get("x-file-id")
            failure = translate(error, call, service)
        else:
            return read_id(unwrap(service.decoded(answer.content)).get("id"))
        if target is None or not name:
            raise failure
        await self._put(target, file, size, call, within=within)
        done = await self._json(
            "post",
            HttpCall(f"process the file {name}", CallKind.UPLOAD, about=name),
            _quoted((path.strip("/"), name, "preprocess")),
        )
        return read_id(unwrap(done).get("id")) or name

    async def _put(self, target: httpx2.URL, file: IO[bytes], size: int, call: HttpCall, *, within: float) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

        told = f"has files put to {target.host}"
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        timeout = self._timeout(within)
        await self._elsewhere("PUT", target, call, told, headers, within, content=pieces(), timeout=timeout)

    @asynccontextmanager
    async def streaming(self, call: HttpCall, file: str, headers: Mapping[str, str]) -> AsyncIterator[httpx2.Response]:
        """The content of a file as it arrives, without retries.

        The service may redirect to a storage. The call to that storage carries nothing of ours: no key, no rows.
        """
        # The last header is the SDK's own, and makes it leave the body unread.
        raw = {"Accept": "application/binary", **headers, "X-Stainless-Raw-Response": "stream"}
        options: Any = {"headers": raw}
        sdk, failure, target = self._open(), None, None
        try:
            response = await sdk.get(_quoted(("files", file, "content")), cast_to=httpx2.Response, options=options)
        except FOREIGN as error:
            target, failure = storage_of(error), translate(error, call, self.service)
        if target is not None:
            told = f"redirects to {target.host} when asked to {call.what}"
            response = await self._elsewhere("GET", target, call, told, headers)
        elif failure is not None:
            raise failure
        try:
            yield response
        finally:
            # An error while closing does not change what was received.
            with suppress(*FOREIGN):
                await response.aclose()

    def chunks(self, response: httpx2.Response, call: HttpCall) -> AsyncIterator[bytes]:
        """The bytes of a response in order, some kilobytes at a time."""
        return arriving(response.aiter_bytes(), FOREIGN, lambda error: translate(error, call, self.service))

    def not_json(self, response: httpx2.Response, call: HttpCall) -> TransientError:
        """The error for a successful response with something other than what was asked for."""
        return self.service.not_json(call, page=HttpAnswer.of(response).is_page)

    async def _elsewhere(
        self,
        method: str,
        target: httpx2.URL,
        call: HttpCall,
        told: str,
        headers: Mapping[str, str],
        within: float | None = None,
        **sent: Any,
    ) -> httpx2.Response:
        """Call a storage that the service named. Return a successful response, which is read into memory for a PUT."""
        http = self.prepare()
        http.cookies.clear()
        request = http.build_request(method, target, headers=dict(headers), **sent)
        try:
            async with asyncio.timeout(within):
                response = await http.send(request, stream=method == "GET")
        except FOREIGN as error:
            failure: BatchdError = translate(error, call, self.service)
        else:
            if response.is_success:
                return response
            failure = TransientError(
                f"{self.service.base_url} {told}, and that answers with status {response.status_code}."
            )
        raise failure

    async def aclose(self) -> None:
        """Close the connections."""
        http, self._http, self._opened = self._http, None, None
        if http is not None:
            await http.aclose()

    async def _json(self, method: str, call: HttpCall, path: str, **sent: Any) -> Json:
        response = await self._response(method, call, path, **sent)
        try:
            return self.service.decoded(response.content)
        except UNREADABLE:
            pass
        raise self.not_json(response, call)

    async def _response(
        self, method: str, call: HttpCall, path: str, *, within: float | None = None, **sent: Any
    ) -> httpx2.Response:
        sdk = self._open()
        try:
            # A limit for the whole call, since the transport has no write timeout.
            async with asyncio.timeout(within):
                response: httpx2.Response = await getattr(sdk, method)(path, cast_to=httpx2.Response, **sent)
                return response
        except FOREIGN as error:
            failure = translate(error, call, self.service)
        # Raised outside the `except`, so that the original is not chained: a logged traceback would show its text.
        raise failure

    def _open(self) -> openai.AsyncOpenAI:
        access = Access.read(self.settings)
        if self._opened is None or self._opened[0] != access:
            self._opened = access, self._sdk(access)
        return self._opened[1]

    def _sdk(self, access: Access) -> openai.AsyncOpenAI:
        settings = self.settings
        client = openai.AsyncOpenAI(
            api_key=access.key,
            base_url=settings.base_url,
            default_query=access.query,
            timeout=self._timeout(settings.request_timeout),
            max_retries=0,
            http_client=self.prepare(),
        )
        # The SDK reads what is not set here from the environment. OpenAI's organization, project, admin key and
        # headers would then be sent to another company.
        client.organization, client.project, client.admin_api_key = settings.organization, settings.project, None
        client._custom_headers = dict(access.headers)  # noqa: SLF001
        return client

    def _timeout(self, silence: float) -> httpx2.Timeout:
        return httpx2.Timeout(silence, connect=min(silence, self.settings.connect_timeout))


def _quoted(path: tuple[str, ...]) -> str:
    # An id may contain a slash (Gemini's do), which must not split the path.
    return "".join(f"/{quote(segment, safe='')}" for segment in path)
