"""Calls to one service, with our own retries, decoding and errors around an HTTP client."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO, Any
from urllib.parse import quote, urlencode

import httpx2

from batchd import BatchdError, Json, RejectedError, TransientError, __version__

from .bounded import BoundedClient
from .normalise import identifier, unwrap
from .pacing import Pacing
from .proxies import Proxy
from .retrying import with_retries
from .settings import Access, OpenAISettings
from .translation import FOREIGN, not_json, of_response, storage_of, translate
from .wire import UNREADABLE, Call, Kind, Service

_PIECE = 1 << 18


class Client:
    """The service, as the rest of the plugin calls it. Its methods raise only batchd's errors."""

    def __init__(self, settings: OpenAISettings, pacing: Pacing) -> None:
        self.settings = settings
        self.pacing = pacing
        self.service = Service(settings.base_url, settings.key_where, settings.key_renewal)
        self._tls: ssl.SSLContext | None = None
        self._clients: dict[tuple[str | None, ...], BoundedClient] = {}

    def prepare(self) -> None:
        """Make the HTTP client ahead of the first call: loading the CA certificates takes about 40 ms."""
        self._open(self.settings.base_url)

    async def get(self, call: Call, *path: str, query: Mapping[str, str | int] | None = None) -> Json:
        """The answer to a GET, with a few retries."""
        return await with_retries(self.pacing, lambda: self._json(call, "GET", _quoted(path), query=query))

    async def look(self, call: Call, path: str, query: Mapping[str, str]) -> httpx2.Response:
        """The answer to one GET of something small, whatever it is."""
        return await self._answer(call, "GET", path, query=query, within=self.settings.request_timeout)

    async def post(self, call: Call, *path: str) -> None:
        """Send a POST that may be repeated. Its answer is ignored."""
        await with_retries(self.pacing, lambda: self._success(call, "POST", _quoted(path)))

    async def delete(self, call: Call, *path: str) -> None:
        """Send a DELETE, with a few retries."""
        await with_retries(self.pacing, lambda: self._success(call, "DELETE", _quoted(path)))

    async def create(
        self, call: Call, path: str, body: Mapping[str, Json], *, within: float, headers: Mapping[str, str]
    ) -> Json:
        """The answer to the one POST that costs money. It is sent exactly once, whatever the outcome."""
        return await self._json(call, "POST", path, within=within, headers=headers, json=dict(body))

    async def upload(
        self,
        call: Call,
        path: str,
        fields: Mapping[str, str],
        file: tuple[str, IO[bytes], str],
        *,
        within: float,
        headers: Mapping[str, str],
    ) -> Json:
        """The answer to a POST of a file, without retries: only the caller knows what a lost answer left behind.

        The file is passed open, and read as it is sent.
        """
        return await self._json(
            call, "POST", path, within=within, headers=headers, data=dict(fields), files=[("file", file)]
        )

    async def upload_to_storage(
        self, call: Call, path: str, fields: Mapping[str, str], file: IO[bytes], size: int, *, within: float
    ) -> str | None:
        """The id of a file that is put where the service says, and is then processed by it. None if it names none.

        The storage gets the rows, which it must, and nothing else of ours.
        """
        form = urlencode(fields).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._answer(call, "POST", path, headers=headers, content=form)
        if answer.is_success:
            return identifier(unwrap(self._decoded(answer, call)).get("id"))
        target = storage_of(answer)
        name = answer.headers.get("x-together-file-id") or answer.headers.get("x-file-id")
        if target is None or not name:
            raise of_response(answer, call, self.service)
        await self._put(target, file, size, call, within=within)
        processing = Call(f"process the file {name}", Kind.UPLOAD, about=name)
        done = await self._json(processing, "POST", _quoted((path.strip("/"), name, "preprocess")))
        return identifier(unwrap(done).get("id")) or name

    async def _put(self, target: httpx2.URL, file: IO[bytes], size: int, call: Call, *, within: float) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

        http = self._open(str(target))
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        request = http.build_request("PUT", target, headers=headers, content=pieces(), timeout=self._timeout(within))
        try:
            async with asyncio.timeout(within):
                response = await http.send(request)
        except FOREIGN as error:
            failure: BatchdError = translate(error, call, self.service)
        else:
            if response.is_success:
                return
            failure = TransientError(
                f"{self.service.base_url} has files put to {target.host}, and that answers with status "
                f"{response.status_code}."
            )
        raise failure

    @asynccontextmanager
    async def streaming(self, call: Call, file: str, headers: Mapping[str, str]) -> AsyncIterator[Stream]:
        """The content of a file as it arrives, without retries.

        A service may keep it in a storage, to which it redirects. That call carries nothing of ours: no key, no rows.
        """
        path = _quoted(("files", file, "content"))
        response = await self._answer(call, "GET", path, headers=headers, stream=True)
        if not response.is_success:
            target = storage_of(response)
            if target is None:
                raise of_response(response, call, self.service)
            response = await self._stored(target, call, headers)
        try:
            yield Stream(response, call, self.service)
        finally:
            # An error while closing does not change what was received.
            with suppress(*FOREIGN):
                await response.aclose()

    async def _stored(self, target: httpx2.URL, call: Call, headers: Mapping[str, str]) -> httpx2.Response:
        http = self._open(str(target))
        try:
            request = http.build_request("GET", target, headers=dict(headers))
            response = await http.send(request, stream=True)
        except FOREIGN as error:
            failure = translate(error, call, self.service)
        else:
            if response.is_success:
                return response
            failure = TransientError(
                f"{self.service.base_url} redirects to {target.host} when asked to {call.what}, and that answers with "
                f"status {response.status_code}."
            )
        raise failure

    async def aclose(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _json(self, call: Call, method: str, path: str, **options: Any) -> Json:
        return self._decoded(await self._success(call, method, path, **options), call)

    async def _success(self, call: Call, method: str, path: str, **options: Any) -> httpx2.Response:
        response = await self._answer(call, method, path, **options)
        if not response.is_success:
            raise of_response(response, call, self.service)
        return response

    def _decoded(self, response: httpx2.Response, call: Call) -> Json:
        try:
            return self.service.decoded(response.content)
        except UNREADABLE:
            pass
        raise not_json(response, call, self.service)

    async def _answer(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        within: float | None = None,
        stream: bool = False,
        **content: Any,
    ) -> httpx2.Response:
        """One call, whatever the service answers to it. `within`: the limit of the whole call, and of its silence."""
        settings = self.settings
        access = Access.read(settings)
        http = self._open(settings.base_url)
        timeout = self._timeout(within or settings.request_timeout)
        try:
            told = _headers(settings, access, headers or {})
            params = {**access.query, **(query or {})} or None
            request = http.build_request(
                method, settings.base_url + path, params=params, headers=told, timeout=timeout, **content
            )
            async with asyncio.timeout(within):
                return await http.send(request, stream=stream)
        except UnicodeEncodeError:
            failure: BatchdError = RejectedError(
                f"{settings.base_url} cannot be called: a header holds a character that no header can have. Correct "
                "headers, organization and project."
            )
        except FOREIGN as error:
            failure = translate(error, call, self.service)
        # Raised outside the `except`, so that the original is not chained: a logged traceback would show its text.
        raise failure

    def _open(self, address: str) -> BoundedClient:
        """The HTTP client for the address: there is one for each proxy of the environment, and one for none."""
        proxy = Proxy.of(address)
        key = (proxy.url, *proxy.headers.values())
        if key not in self._clients:
            tls = self._tls = self._tls or httpx2.create_ssl_context()
            through = httpx2.Proxy(proxy.url, headers=dict(proxy.headers)) if proxy.url is not None else None
            timeout = self._timeout(self.settings.request_timeout)
            self._clients[key] = BoundedClient(proxy=through, verify=tls, timeout=timeout)
        http = self._clients[key]
        if not address.startswith(self.settings.base_url):
            # A storage of the service gets nothing of ours.
            http.cookies.clear()
        return http

    def _timeout(self, silence: float) -> httpx2.Timeout:
        return httpx2.Timeout(silence, connect=min(silence, self.settings.connect_timeout))


class Stream:
    """A file as it arrives."""

    def __init__(self, response: httpx2.Response, call: Call, service: Service) -> None:
        self.response = response
        self._call = call
        self._service = service

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order, some kilobytes at a time."""
        arriving = self.response.aiter_bytes()
        while True:
            try:
                chunk = await anext(arriving)
            except StopAsyncIteration:
                return
            except FOREIGN as error:
                failure = translate(error, self._call, self._service)
                break
            # Outside the `try`: what the caller raises (a full disk, say) is not the service's fault.
            yield chunk
        raise failure

    def not_content(self) -> TransientError:
        """The error to raise when the content is not a file."""
        return not_json(self.response, self._call, self._service)


def _headers(settings: OpenAISettings, access: Access, more: Mapping[str, str]) -> httpx2.Headers:
    headers = httpx2.Headers(
        {
            "Accept": "application/json",
            "User-Agent": f"batchd/{__version__}",
            "Authorization": f"Bearer {access.key}",
        }
    )
    if settings.organization:
        headers["OpenAI-Organization"] = settings.organization
    if settings.project:
        headers["OpenAI-Project"] = settings.project
    # Those of the configuration come in place of ours, in whatever case they are written.
    headers.update(access.headers)
    headers.update(more)
    return headers


def _quoted(path: tuple[str, ...]) -> str:
    # An id may contain a slash (Gemini's do), which must not split the path.
    return "".join(f"/{quote(segment, safe='')}" for segment in path)
