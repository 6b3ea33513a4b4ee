"""Who gets in: tokens, cookies, host names, forms of other sites."""

from __future__ import annotations

import json
import socket
import stat
from typing import Any

import pytest

from batchd.config.web import Address, WebTable
from batchd.store.layout import WEB_TOKENS
from batchd.web.application import ROUTES
from batchd.web.pages.entry import safe_place
from batchd.web.tokens import SESSION, KnownTokens, WebRole, make_token, remove_token
from batchd.web.visitor import host_is_ours

from ..cli.cli_kit import House, here
from .web_kit import served


def place(path: str) -> str:
    """An address of this route."""
    path = path.replace("{order}", "cancel").replace("{route}", "reviews")
    return path.replace("{name:.+}", "x").replace("{job}", "nosuch").replace("{name}", "x").replace("{batch}", "nosuch")


async def test_nothing_but_health_and_the_way_in_is_open(house: House) -> None:
    async with served(house) as web:
        nobody = web.program(None)
        open_ones, faults = set(), []
        for each in ROUTES:
            for method in (each.method, *(["HEAD"] if each.method == "GET" else [])):
                answer = await nobody.ask(method, place(each.path))
                if each.open:
                    open_ones.add(each.path)
                elif answer.status != 401:
                    faults.append(f"{method} {each.path}: {answer.status}")
        for path in ("/nosuch", "/api/v1/nosuch", "/static/../tokens.py", "/.git/config"):
            answer = await nobody.get(path)
            if answer.status not in (401, 404):
                faults.append(f"{path}: {answer.status}")
        assert not faults, "\n".join(faults)
        assert open_ones == {"/healthz", "/login", "/static/{name}"}
        assert await (await nobody.get("/healthz")).text() == "ok\n"


@pytest.mark.slow
async def test_who_may_read_gives_no_orders(house: House) -> None:
    async with served(house) as web:
        for asker in (web.program(WebRole.READ), await web.browser(WebRole.READ)):
            faults = []
            for each in ROUTES:
                if each.path in ("/login", "/logout", "/api/v1/stream"):
                    continue
                answer = await asker.ask(each.method, place(each.path))
                if each.orders != (answer.status == 403):
                    faults.append(f"{each.method} {each.path}: {answer.status}")
            assert not faults, "\n".join(faults)


async def test_every_answer_has_the_headers(finished: House) -> None:
    async with served(finished) as web:
        program, nobody = web.program(), web.program(None)
        for answer in (
            await program.get("/"),
            await program.get("/jobs/nosuch", Accept="text/html"),
            await program.get("/nosuch"),
            await nobody.get("/", Accept="text/html"),
            await nobody.get("/", Host="evil.example"),
            await nobody.get("/healthz"),
            await nobody.get("/static/page.css"),
        ):
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe-inline" not in policy
            assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"].startswith("no-referrer")
            assert "Server" not in answer.headers
        assert (await program.get("/")).headers["Cache-Control"] == "no-store"


async def test_a_browser_types_the_token_once(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        browser = await web.browser()
        assert "reviews/may.csv" in await browser.text("/")
        cookies = {each.key: each for each in browser.client.session.cookie_jar}
        session = cookies["batchd_session"]
        assert session["httponly"]
        assert session["samesite"] == "Strict"
        assert web.tokens[WebRole.ORDER] not in session.value
        # The place that was asked for first comes next.
        fresh = web.program(None)
        fresh.headers = dict(browser.headers)
        form = await (await fresh.get(f"/jobs/{finished_job}")).text()
        assert f'value="/jobs/{finished_job}"' in form
        answer = await web.enter(fresh, form, web.tokens[WebRole.READ], place=f"/jobs/{finished_job}")
        assert (answer.status, answer.headers["Location"]) == (303, f"/jobs/{finished_job}")
        answer = await browser.post("/logout")
        assert answer.status == 303
        assert (await browser.get("/")).status == 401


async def test_a_wrong_token_lets_nobody_in(finished: House) -> None:
    async with served(finished) as web:
        browser = web.program(None)
        browser.headers = {"Accept": "text/html", "Origin": web.origin}
        form = await (await browser.get("/login")).text()
        answer = await web.enter(browser, form, "wrong")
        assert answer.status == 403
        assert "This token is wrong" in await answer.text()
        assert (await browser.get("/")).status == 401
        for value in ("Bearer wrong", "Bearer ", "Basic eDp5", f"bearer{web.tokens[WebRole.READ]}", "Bearer é"):
            assert (await web.program(None).get("/", Authorization=value)).status == 401
        # Nor does a token in the address.
        token = web.tokens[WebRole.ORDER]
        assert (await web.program(None).get(f"/?token={token}&access_token={token}")).status == 401


async def test_a_form_must_come_from_a_page_of_ours(finished: House) -> None:
    async with served(finished) as web:
        browser = await web.browser()
        token, browser.form_token = browser.form_token, ""
        good = {"form_token": token}
        for what, data, headers in (
            ("no form token", {}, {}),
            ("another's form token", {"form_token": "0" * 64}, {}),
            ("another site", good, {"Origin": "http://evil.example"}),
            ("another port", good, {"Origin": "http://127.0.0.1:1"}),
            ("a file, or a sandboxed frame", good, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}),
            ("what the browser calls another site", good, {"Sec-Fetch-Site": "cross-site"}),
            ("a neighbour of the same domain", good, {"Sec-Fetch-Site": "same-site"}),
            ("JSON by another name", '{"form_token": "x"}', {"Content-Type": "text/plain"}),
        ):
            answer = await browser.post("/logout", data, **headers)
            assert answer.status == 403, what
        assert (await browser.get("/")).status == 200
        assert (await browser.post("/logout", good)).status == 303
        # The way in as well: nobody is to be logged in as somebody else.
        form = await (await browser.get("/login")).text()
        assert (await web.enter(browser, form, web.tokens[WebRole.ORDER], Origin="http://evil.example")).status == 403
        stranger = web.program(None)
        stranger.headers = dict(browser.headers)
        assert (await web.enter(stranger, form, web.tokens[WebRole.ORDER])).status == 403


async def test_only_names_that_are_ours_are_answered(finished: House) -> None:
    async with served(finished, hosts=["batchd.example.org"]) as web:
        program = web.program()
        for host, status in (
            ("localhost", 200),
            ("127.0.0.1:8321", 200),
            ("[::1]:99", 200),
            ("BATCHD.example.org:443", 200),
            ("batchd.example.org.", 200),
            ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("evil.example:127.0.0.1", 421),
            ("x@localhost", 421),
            ("localhost/x", 421),
            ("", 421),
        ):
            assert (await program.get("/", Host=host)).status == status, host


def test_an_address_that_others_reach_has_names_of_its_own() -> None:
    one, every = Address("192.0.2.7", 80), Address("0.0.0.0", 80)
    none = WebTable()
    assert [host_is_ours(host, none, one) for host in ("192.0.2.7:80", "localhost", "x")] == [True, False, False]
    assert [host_is_ours(host, none, every) for host in ("0.0.0.0", "localhost")] == [False, True]


def test_a_place_to_go_to_is_one_of_ours() -> None:
    for evil in (
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:x",
        "",
        "/x\r\nSet-Cookie: y",
    ):
        assert safe_place(evil) == "/"
    assert safe_place("/jobs/x?a=b") == "/jobs/x?a=b"


def test_a_session_ends_with_its_token_and_after_a_week(house: House) -> None:
    make_token(house.state, WebRole.READ)
    tokens = KnownTokens.read(WebTable(), house.state)
    [key] = tokens.keys
    cookie = tokens.session(key, now=1_000.0)
    assert tokens.key_of_session(cookie, now=1_000.0 + SESSION - 2) == key
    assert tokens.key_of_session(cookie, now=1_000.0 + SESSION + 2) is None
    for wrong in (cookie.replace("read.", "order."), cookie.replace("read.", "read.9"), "", "...", cookie[:-1] + "é"):
        assert tokens.key_of_session(wrong, now=1_000.0) is None, wrong
    make_token(house.state, WebRole.READ)
    assert KnownTokens.read(WebTable(), house.state).key_of_session(cookie, now=1_000.0) is None


def test_what_is_kept_of_a_token_is_a_fingerprint_for_batchd_alone(house: House) -> None:
    token = make_token(house.state, WebRole.ORDER)
    file = house.state / WEB_TOKENS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text()
    assert KnownTokens.read(WebTable(), house.state).key_of(token) is not None
    file.write_text('{"order": "xy"}')
    assert KnownTokens.read(WebTable(), house.state).keys == ()
    assert not remove_token(house.state, WebRole.ORDER)


def test_a_token_of_the_configuration(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE", "a long enough secret")
    monkeypatch.setenv("SHORT", "short")
    tokens = KnownTokens.read(WebTable(token="env:PAGE", read_token="env:SHORT"), house.state)  # type: ignore[arg-type]
    found = tokens.key_of("a long enough secret")
    assert found is not None
    assert found.role is WebRole.ORDER
    assert tokens.key_of("short") is None
    assert tokens.faults == ("[web] read_token has fewer than 16 characters, so it is not used.",)


def test_the_command_makes_tokens(house: House) -> None:
    said = here("web", "token", config=house.config)
    token = said.out.strip()
    assert "spend money" in said.err
    read = here("web", "token", "--read", "--json", config=house.config).json()
    tokens = KnownTokens.read(WebTable(), house.state)
    roles = [key.role for key in (tokens.key_of(token), tokens.key_of(read["token"])) if key is not None]
    assert roles == [WebRole.ORDER, WebRole.READ]
    assert here("web", "token", "--remove", config=house.config).out == "It lets nobody in any more.\n"
    assert here("web", "token", "--remove", "--json", config=house.config).json() == {"role": "order", "removed": False}
    assert list(json.loads((house.state / WEB_TOKENS).read_text())) == ["read"]


def socket_of_both_families(*_: object) -> socket.socket:
    """One that listens on `[::]`, where a peer of IPv4 is called ::ffff:127.0.0.1."""
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)


@pytest.mark.parametrize("sockets", [{}, {"socket_factory": socket_of_both_families}], ids=["IPv4", "both"])
async def test_a_proxy_is_believed_only_if_it_is_listed(finished: House, sockets: dict[str, Any]) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    for trusted, secure in (([], False), (["127.0.0.0/8"], True), (["10.0.0.0/8", "unix"], False)):
        async with served(finished, sockets=sockets, trusted_proxies=trusted) as web:
            browser = web.program(None)
            browser.headers = {"Accept": "text/html", "Origin": web.origin, **headers}
            form = await (await browser.get("/login")).text()
            answer = await web.enter(browser, form, web.tokens[WebRole.READ])
            # The cookie is marked, and a browser would not send it back over plain HTTP.
            assert ("Secure" in answer.headers["Set-Cookie"]) is secure, trusted
