"""Calls the daemon's JSON API, and raises its refusals as exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from .errors import ClientError, NoSuchJob, NoSuchRoute, NotAllowed, NotReachable, RequestRefused
from .tables import SentFile

USUAL = aiohttp.ClientTimeout(total=60, sock_connect=10)
LONG = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
"""For files: no limit as long as data keeps coming."""
TRIES = 6
"""How often a call is made if the daemon answers that it is busy."""
MAX_PAUSE = 10.0
PIECE = 1 << 18


class Api:
    """The daemon at an address: `http://127.0.0.1:8321`, or `unix:/run/batchd/web.sock`."""

    def __init__(
        self, address: str, token: str | None, *, last_words: Callable[[], Awaitable[str | None]] | None = None
    ) -> None:
        if address.startswith("unix:"):
            self._socket: str | None = address.removeprefix("unix:")
            self._base = "http://localhost"
        else:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ClientError(f'"{address}" is no address; write one such as "http://127.0.0.1:8321".')
            self._socket, self._base = None, f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.address = address
        self._token = token
        self._last_words = last_words
        self._session: aiohttp.ClientSession | None = None

    async def get(self, *path: str, **query: str) -> dict[str, Any]:
        return await self._call("GET", path, query)

    async def order(self, *path: str, values: Mapping[str, str]) -> dict[str, Any]:
        """Give an order. Raise RequestRefused if the daemon does not carry it out."""
        return await self._call("POST", path, {}, values=values, tries=1)

    async def send(self, method: str, *path: str, file: SentFile) -> dict[str, Any]:
        return await self._call(method, path, {}, file=file)

    async def lines(self, *path: str, **query: str) -> AsyncIterator[list[bytes]]:
        """Yield the lines of the answer as they arrive, some at a time."""
        rest = b""
        for number in range(1, TRIES + 1):
            try:
                async with self._request("GET", path, query, timeout=LONG) as answer:
                    if answer.status == 200:
                        async for piece in answer.content.iter_chunked(PIECE):
                            *lines, rest = (rest + piece).split(b"\n")
                            if lines:
                                yield lines
                        return
                    pause = await self._pause_after(answer, path, is_last=number == TRIES)
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                raise await self._lost(error) from None
            await asyncio.sleep(pause)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _request(self, method: str, path: tuple[str, ...], query: Mapping[str, str], **options: Any) -> Any:
        if self._session is None:
            connector = aiohttp.UnixConnector(self._socket) if self._socket else aiohttp.TCPConnector()
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        place = "".join(f"/{quote(each, safe='', errors='replace')}" for each in ("api", "v1", *path))
        # No redirects: the token must be sent to no other address.
        return self._session.request(method, f"{self._base}{place}", params=query, allow_redirects=False, **options)

    async def _call(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        *,
        values: Mapping[str, str] | None = None,
        file: SentFile | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        for number in range(1, tries + 1):
            options: dict[str, Any] = {"timeout": USUAL if file is None else LONG}
            if values is not None:
                options["json"] = dict(values)
            try:
                async with AsyncExitStack() as stack:
                    if file is not None:
                        content = stack.enter_context(await asyncio.to_thread(file.path.open, "rb"))
                        options["data"] = content
                    answer = await stack.enter_async_context(self._request(method, path, query, **options))
                    if answer.status < 300:
                        return dict(msgspec.json.decode(await answer.read()))
                    pause = await self._pause_after(answer, path, is_last=number == tries)
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                raise await self._lost(error) from None
            except msgspec.DecodeError:
                raise NotReachable(f"What answers at {self.address} is not batchd.") from None
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _pause_after(self, answer: aiohttp.ClientResponse, path: tuple[str, ...], *, is_last: bool) -> float:
        """Seconds until the next try, if the daemon is busy and says when to come back. Otherwise raise the refusal."""
        refusal, told = await self._refusal(answer, path), answer.headers.get("Retry-After", "")
        if answer.status != 503 or is_last or not (told.isascii() and told.isdigit()):
            raise refusal
        return min(MAX_PAUSE, float(told))

    async def _refusal(self, answer: aiohttp.ClientResponse, path: tuple[str, ...]) -> ClientError:
        body = await answer.content.read(PIECE)
        try:
            record = msgspec.json.decode(body)
            message = record["error"]["message"] if "error" in record else record["answer"]
        except (msgspec.DecodeError, KeyError, TypeError):
            return RequestRefused(
                f"{self.address} answered with status {answer.status}, and not as batchd does. Is this batchd's "
                "address, and is there a proxy in front of it?",
                answer.status,
            )
        if answer.status in (401, 403):
            if answer.status == 401 and self._token:
                message = f"The daemon at {self.address} does not know this token; it may belong to another daemon."
            advice = " Make one with `batchd web token` and give it as `token`." if answer.status == 401 else ""
            return NotAllowed(f"{message}{advice}")
        if answer.status == 404 and len(path) <= 1:
            return NotReachable(f"What answers at {self.address} is not batchd. Is it the address of [web] listen?")
        if answer.status == 404 and path[0] in ("routes", "jobs", "uploads"):
            return (NoSuchRoute if path[0] == "routes" else NoSuchJob)(message, 404)
        return RequestRefused(message, answer.status)

    async def _lost(self, error: Exception) -> NotReachable:
        words = await self._last_words() if self._last_words is not None else None
        if words is not None:
            return NotReachable(f"The daemon of this client has ended. {words}")
        reason = str(error) or type(error).__name__
        return NotReachable(
            f"No batchd answers at {self.address}: {reason}. Is it running (batchd run), and is this the address of "
            "[web] listen? What it works on goes on when it runs again."
        )
