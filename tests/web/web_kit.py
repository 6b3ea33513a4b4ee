"""A page on the folders of a household, served in this process, and a browser or a program that asks it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aiohttp import ClientResponse, CookieJar
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from batchd.app.dropping import place_of
from batchd.app.results import results_of
from batchd.config.web import Address, WebTable
from batchd.contracts import ResultRows
from batchd.people.language import Language
from batchd.status.places import Places
from batchd.web.application import application
from batchd.web.backend import Setting
from batchd.web.tokens import WebRole, make_token

from ..cli.cli_kit import House

ADDRESS = Address("127.0.0.1", 8321)


class FakeDaemon:
    """What the page knows of a daemon, of a household on disk."""

    def __init__(self, house: House, **web: Any) -> None:
        self.house = house
        self.web = WebTable(**web)
        self.language = Language("en", "Asia/Ho_Chi_Minh")
        self.is_ready = True
        self.drops = 0

    def setting(self) -> Setting:
        return Setting(
            places=Places.of(self.house.config),
            web=self.web,
            language=self.language,
            inbox=self.house.folders.inbox,
            routes={route.name: route.match for route in self.house.routes},
            providers=["fake"],
        )

    def ready(self) -> bool:
        return self.is_ready

    def inbox_place(self, name: str, route: str) -> Path:
        return self.house.folders.inbox / place_of(name, self.house.routes, route)

    async def estimate(self, file: Path, route: str) -> dict[str, Any]:
        return {"file": file.name, "route": route, "bytes": file.stat().st_size}

    async def results(self, job: str, since: int) -> ResultRows:
        # What the rows need is on the disk: the daemon may be gone.
        async with self.house.living() as living:
            return await results_of(living.context, job, since)

    @property
    def dropped(self) -> Callable[[], None]:
        def count() -> None:
            self.drops += 1

        return count


class Asker:
    """A program with a token, or a browser with a cookie. `headers` go with everything it asks."""

    def __init__(self, client: TestClient[Any, Any], headers: Mapping[str, str]) -> None:
        self.client = client
        self.headers = dict(headers)
        self.form_token = ""

    async def ask(self, method: str, path: str, *, data: Any = None, json: Any = None, **more: str) -> ClientResponse:
        """An answer that is read to its end."""
        answer = await self.client.request(
            method, path, data=data, json=json, headers={**self.headers, **more}, allow_redirects=False
        )
        await answer.read()
        return answer

    async def get(self, path: str, **more: str) -> ClientResponse:
        return await self.ask("GET", path, **more)

    async def text(self, path: str, **more: str) -> str:
        answer = await self.get(path, **more)
        assert answer.status == 200, (answer.status, await answer.text())
        return await answer.text()

    async def json(self, path: str, **more: str) -> Any:
        answer = await self.get(path, **more)
        assert answer.status == 200, (answer.status, await answer.text())
        return await answer.json()

    async def post(self, path: str, data: Any = None, *, json: Any = None, **more: str) -> ClientResponse:
        if self.form_token and isinstance(data, dict | None) and json is None:
            data = {"form_token": self.form_token, **(data or {})}
        return await self.ask("POST", path, data=data, json=json, **more)


class Web:
    """The page of a household."""

    def __init__(self, daemon: FakeDaemon, server: TestServer) -> None:
        self.daemon = daemon
        self.server = server
        self.tokens = {role: make_token(daemon.house.state, role) for role in WebRole}
        self._clients: list[TestClient[Any, Any]] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def client(self) -> TestClient[Any, Any]:
        client = TestClient(self.server, cookie_jar=CookieJar(unsafe=True, treat_as_secure_origin=URL(self.origin)))
        self._clients.append(client)
        return client

    def program(self, role: WebRole | None = WebRole.ORDER) -> Asker:
        return Asker(self.client(), {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"})

    async def browser(self, role: WebRole = WebRole.ORDER) -> Asker:
        """One that has typed the token."""
        browser = Asker(self.client(), {"Accept": "text/html", "Origin": self.origin, "Sec-Fetch-Site": "same-origin"})
        form = await (await browser.get("/login")).text()
        answer = await self.enter(browser, form, self.tokens[role])
        assert answer.status == 303, await answer.text()
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', await browser.text("/"))
        assert found is not None
        browser.form_token = found[1]
        return browser

    async def enter(self, browser: Asker, form: str, token: str, *, place: str = "/", **more: str) -> ClientResponse:
        [entry] = re.findall(r'name="entry" value="([^"]+)"', form)
        return await browser.post("/login", {"entry": entry, "next": place, "token": token}, **more)

    async def close(self) -> None:
        for client in self._clients:
            await client.session.close()


@asynccontextmanager
async def served(
    house: House,
    *,
    address: Address = ADDRESS,
    waiting: int = 64,
    streams: int = 3,
    sockets: Mapping[str, Any] = MappingProxyType({}),
    **web: Any,
) -> AsyncIterator[Web]:
    """The page of this household, with `[web]` as these keys say."""
    daemon = FakeDaemon(house, **web)
    server = TestServer(application(daemon, address, pause=0.0, waiting=waiting, streams=streams), **sockets)
    await server.start_server()
    page = Web(daemon, server)
    try:
        yield page
    finally:
        await page.close()
        await server.close()
