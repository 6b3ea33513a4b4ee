"""Live calls through proxies and TLS: what the environment says is heeded, and what is wrong with it is said."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from openai_support import KEY, Connect, FakeService, serving
from tests import loopback

from batchd import LiveCall, NotSent, RejectedError

pytestmark = pytest.mark.field("hostile services")

CALL = LiveCall("job-1", b'{"model":"m","messages":[]}', "/v1/chat/completions", "b-job-1-0")
ANSWER = {"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _read_trust_once() -> None:
    """Here each client reads it."""


@dataclass
class Proxy:
    """A proxy that answers each call itself."""

    host: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    here = Proxy()

    async def handle(request: web.Request) -> web.StreamResponse:
        here.asked.append((str(request.url), request.headers.get("Proxy-Authorization")))
        return web.json_response(ANSWER)

    async with serving(handle) as url:
        here.host = url.removeprefix("http://").removesuffix("/v1")
        yield here


async def test_calls_go_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, connect: Connect
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://anna:p%40ss@{proxy.host}")
    provider = connect(base_url="http://acme.invalid/v1")
    assert [(await provider.answer(CALL)).status for _ in range(2)] == [200, 200]
    # With each call: the second one goes over the connection of the first.
    assert proxy.asked == [("http://acme.invalid/v1/chat/completions", "Basic YW5uYTpwQHNz")] * 2


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy"])
async def test_a_proxy_may_be_for_all_and_have_no_scheme(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, connect: Connect, name: str
) -> None:
    monkeypatch.setenv(name, proxy.host)
    assert (await connect(base_url="http://acme.invalid/v1").answer(CALL)).status == 200
    assert len(proxy.asked) == 1


async def test_a_host_may_be_excepted(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, service: FakeService, connect: Connect
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    service.on("POST", "/chat/completions", ANSWER)
    assert (await connect().answer(CALL)).status == 200
    assert proxy.asked == []


async def test_a_proxy_that_lets_nothing_through_is_named(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Not to this host\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:s3cret-word@{host}")
        with pytest.raises(NotSent, match="The proxy does not let it through: check HTTPS_PROXY") as raised:
            await connect(base_url="https://acme.invalid/v1").answer(CALL)
    assert "s3cret-word" not in str(raised.value)
    [head] = heads
    assert head.startswith(b"CONNECT acme.invalid:443")
    assert b"Proxy-Authorization: Basic YW5uYTpzM2NyZXQtd29yZA==" in head
    assert KEY.encode() not in head


async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://anna:s3cret-word@127.0.0.1:9")
    with pytest.raises(NotSent, match="check HTTPS_PROXY") as raised:
        await connect(base_url="https://acme.invalid/v1").answer(CALL)
    assert "s3cret-word" not in str(raised.value)


async def test_a_proxy_by_socks_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(RejectedError, match=r"socks5.*NO_PROXY"):
        await connect(base_url="http://acme.invalid/v1").answer(CALL)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but its maker has signed, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path / "own.pem"
    made = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-keyout", str(path), "-out", str(tmp_path / "certificate"), "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*made, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with path.open("ab") as file:
        file.write((tmp_path / "certificate").read_bytes())
    return path


@pytest.fixture
async def secure(certificate: Path) -> AsyncIterator[str]:
    """A service that has this certificate."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(ANSWER)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with loopback.serving(handle, "/v1", tls=context) as url:
        yield url


async def test_a_certificate_of_ones_own_is_said_and_can_be_trusted(
    monkeypatch: pytest.MonkeyPatch, connect: Connect, certificate: Path, secure: str
) -> None:
    with pytest.raises(NotSent, match="SSL_CERT_FILE"):
        await connect(base_url=secure).answer(CALL)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert (await connect(base_url=secure).answer(CALL)).status == 200


async def test_calls_go_through_a_tunnel_of_the_proxy(
    monkeypatch: pytest.MonkeyPatch, connect: Connect, certificate: Path, secure: str
) -> None:
    heads: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = heads[-1].split()[1].decode().rpartition(":")
        from_service, to_service = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                target.write(data)
            target.close()

        await asyncio.gather(pass_on(reader, to_service), pass_on(from_service, writer), return_exceptions=True)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:word@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        provider = connect(base_url=secure)
        assert [(await provider.answer(CALL)).status for _ in range(2)] == [200, 200]
        await provider.aclose()
    [head] = heads
    assert b"Proxy-Authorization: Basic YW5uYTp3b3Jk" in head
    assert KEY.encode() not in head


async def test_tls_that_the_service_does_not_speak_is_said(service: FakeService, connect: Connect) -> None:
    with pytest.raises(NotSent, match="whether base_url should begin with http:"):
        await connect(base_url=service.url.replace("http:", "https:")).answer(CALL)
