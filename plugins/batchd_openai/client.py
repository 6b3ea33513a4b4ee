"""Calls to one service: the SDK's client behind our own retries, our own reading of answers and our own errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO, Any
from urllib.parse import quote

import httpx2
import msgspec
import openai

from batchd import Json, TransientError

from .retrying import with_retries
from .settings import Access, OpenAISettings
from .translation import FOREIGN, not_json, redirected, translate, turned
from .wire import Call, Service

Send = Callable[[openai.AsyncOpenAI], Awaitable[httpx2.Response]]


class Client:
    """The service, as the rest of the plugin calls it. All that its methods raise is batchd's."""

    def __init__(self, settings: OpenAISettings) -> None:
        self.settings = settings
        self._http: httpx2.AsyncClient | None = None
        self._opened: tuple[Access, openai.AsyncOpenAI] | None = None

    def prepare(self) -> None:
        """Make what takes long to make: the certificates of the world are read in, for some 40 ms."""
        if self._http is None:
            self._http = openai.DefaultAioHttpClient(timeout=self._timeout(self.settings.request_timeout))

    async def get(self, call: Call, *path: str, query: Mapping[str, str | int] | None = None) -> Json:
        """The answer to a GET, tried a few times."""
        options: Any = {"params": dict(query or {})}
        address = _joined(path)
        return await with_retries(
            lambda: self._asked(call, lambda sdk: sdk.get(address, cast_to=httpx2.Response, options=options))
        )

    async def post(self, call: Call, *path: str) -> None:
        """A POST that may be repeated and whose answer tells nothing."""
        address = _joined(path)
        await with_retries(lambda: self._sent(call, lambda sdk: sdk.post(address, cast_to=httpx2.Response)))

    async def delete(self, call: Call, *path: str) -> None:
        """A DELETE, tried a few times."""
        address = _joined(path)
        await with_retries(lambda: self._sent(call, lambda sdk: sdk.delete(address, cast_to=httpx2.Response)))

    async def create(self, call: Call, path: str, body: Mapping[str, Json], *, within: float) -> Json:
        """The answer to the one POST that costs money: made exactly once, whatever comes of it."""
        options: Any = {"timeout": self._timeout(within)}

        async def send(sdk: openai.AsyncOpenAI) -> httpx2.Response:
            async with asyncio.timeout(within):
                return await sdk.post(path, cast_to=httpx2.Response, body=dict(body), options=options)

        return await self._asked(call, send)

    async def upload(
        self, call: Call, path: str, fields: Mapping[str, str], file: tuple[str, IO[bytes], str], *, within: float
    ) -> Json:
        """The answer to a POST of a file, tried once: only who calls knows what a lost answer left behind.

        The file is an open one: a path or bytes would be read whole into memory by the SDK.
        """
        options: Any = {"headers": {"Content-Type": "multipart/form-data"}, "timeout": self._timeout(within)}

        async def send(sdk: openai.AsyncOpenAI) -> httpx2.Response:
            # In all, since the transport has no time-out for writing.
            async with asyncio.timeout(within):
                return await sdk.post(
                    path, cast_to=httpx2.Response, body=dict(fields), files=[("file", file)], options=options
                )

        return await self._asked(call, send)

    @asynccontextmanager
    async def streaming(self, call: Call, file: str, headers: Mapping[str, str]) -> AsyncIterator[Stream]:
        """The content of a file as it arrives, tried once."""
        sdk, service = self._open()
        manager = sdk.files.with_streaming_response.content(file, extra_headers=dict(headers))
        try:
            answer = await manager.__aenter__()
        except FOREIGN as error:
            failure = translate(error, call, service)
        else:
            try:
                yield Stream(answer.http_response, call, service)
            finally:
                # What goes wrong while hanging up changes nothing of what was heard.
                with suppress(*FOREIGN):
                    await manager.__aexit__(None, None, None)
            return
        raise failure

    async def aclose(self) -> None:
        """Let go of the connections."""
        http, self._http, self._opened = self._http, None, None
        if http is not None:
            await http.aclose()

    async def _asked(self, call: Call, send: Send) -> Json:
        response, service = await self._sent(call, send)
        try:
            return service.decoded(response.content)
        except msgspec.DecodeError:
            pass
        raise not_json(response, call, service)

    async def _sent(self, call: Call, send: Send) -> tuple[httpx2.Response, Service]:
        sdk, service = self._open()
        try:
            response = await send(sdk)
        except FOREIGN as error:
            failure = translate(error, call, service)
        else:
            if not turned(response):
                return response, service
            failure = redirected(response, call, service)
        # Out here, the original is not chained to it: a logged traceback would show what the service wrote.
        raise failure

    def _open(self) -> tuple[openai.AsyncOpenAI, Service]:
        access = Access.read(self.settings)
        if self._opened is None or self._opened[0] != access:
            self._opened = access, self._made(access)
        settings = self.settings
        return self._opened[1], Service(
            settings.base_url, settings.api_key.where, access.secrets, settings.api_key.renewal
        )

    def _made(self, access: Access) -> openai.AsyncOpenAI:
        settings = self.settings
        timeout = self._timeout(settings.request_timeout)
        self.prepare()
        client = openai.AsyncOpenAI(
            api_key=access.key,
            base_url=settings.base_url,
            default_query=access.query,
            timeout=timeout,
            max_retries=0,
            http_client=self._http,
        )
        # Where these are not given, the SDK takes them from the environment: OpenAI's organization, project, admin
        # key and headers would go to whichever company this provider is.
        client.organization, client.project, client.admin_api_key = settings.organization, settings.project, None
        client._custom_headers = dict(access.headers)  # noqa: SLF001
        return client

    def _timeout(self, silence: float) -> httpx2.Timeout:
        return httpx2.Timeout(silence, connect=min(silence, self.settings.connect_timeout))


class Stream:
    """What arrives of a file."""

    def __init__(self, response: httpx2.Response, call: Call, service: Service) -> None:
        self.response = response
        self._call = call
        self._party = service

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in the order they come, some kilobytes at a time."""
        arriving = self.response.aiter_bytes()
        while True:
            try:
                chunk = await anext(arriving)
            except StopAsyncIteration:
                return
            except FOREIGN as error:
                # These come as they are: the SDK translates nothing once the headers are there.
                failure = translate(error, self._call, self._party)
                break
            # Outside of the `try`: what the reader raises, a full disk say, is not the service's fault.
            yield chunk
        raise failure

    def not_content(self) -> TransientError:
        """To raise when what arrives is no file."""
        return not_json(self.response, self._call, self._party)


def _joined(path: tuple[str, ...]) -> str:
    # Ids may hold a slash (Gemini's do); it must not become a step of the path.
    return "".join(f"/{quote(step, safe='')}" for step in path)
