"""`[web]`: where the page listens, and who gets in."""

from __future__ import annotations

import ipaddress
import re
from functools import partial
from pathlib import Path
from typing import Annotated

from msgspec import Struct
from pydantic import AfterValidator, BeforeValidator, Field

from ..settings import Secret
from ..store.layout import WEB_TOKENS
from .problems import Problems
from .tables import Count, Table, Text, octal

ADVICE = 'write an address such as "127.0.0.1:8321" or "[::1]:8321", or "unix:/run/batchd/web.sock"'
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class Address(Struct, frozen=True):
    """Where the page listens: a host and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    socket: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address. Raise ValueError if the text is not one."""
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path.strip("/"):
                raise ValueError(ADVICE)
            return cls(socket=path)
        host, colon, port = text.rpartition(":")
        if not colon or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:
            raise ValueError(ADVICE)
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            if ":" not in host:
                raise ValueError(ADVICE)
        elif _HOST.fullmatch(host) is None:
            raise ValueError(ADVICE)
        if (":" in host or re.fullmatch(r"[\d.]+", host)) and not is_ip(host):
            raise ValueError(f'"{host}" is no address of a machine; {ADVICE}')
        return cls(host, int(port))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.socket is not None or self.host.lower() == "localhost":
            return True
        return is_ip(self.host) and ipaddress.ip_address(self.host).is_loopback

    @property
    def is_any(self) -> bool:
        """Whether it listens on every address of the machine."""
        return is_ip(self.host) and ipaddress.ip_address(self.host).is_unspecified

    def __str__(self) -> str:
        if self.socket is not None:
            return f"unix:{self.socket}"
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"


def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address(value: str) -> str:
    Address.parse(value)
    return value


def _host(value: str) -> str:
    if _HOST.fullmatch(value) is None and not is_ip(value):
        raise ValueError(f'"{value}" is not the name of a host; write one such as "batchd.example.org", without a port')
    return value.lower()


def _peer(value: str) -> str:
    if value == "unix":
        return value
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError(f'"{value}" is no address; write "127.0.0.1", "10.0.0.0/8" or "unix"') from None
    return value


class WebTable(Table):
    """As written. Without `listen` there is no page. `token` lets people read and order, `read_token` only read."""

    listen: Annotated[str, AfterValidator(_address)] | None = None
    token: Secret | None = None
    read_token: Secret | None = None
    hosts: list[Annotated[str, AfterValidator(_host)]] = Field(default_factory=list)
    trusted_proxies: list[Annotated[str, AfterValidator(_peer)]] = Field(default_factory=list)
    socket_mode: Annotated[int, BeforeValidator(partial(octal, example="0660"))] = 0o660
    max_upload: Count = 1_000_000_000
    title: Text = "batchd"

    @property
    def address(self) -> Address | None:
        return None if self.listen is None else Address.parse(self.listen)


def check_web(web: WebTable, state: Path | None, problems: Problems) -> None:
    """Refuse a page that others could read: one that other machines reach, without a token."""
    for name in ("token", "read_token"):
        secret = getattr(web, name)
        if secret is not None and secret.literal:
            problems.warn(("web", name), 'is the token itself; write "env:NAME", "file:PATH" or "credential:NAME"')
    address = web.address
    if address is None or address.is_local or web.token is not None or web.read_token is not None:
        return
    if state is None or not (state / WEB_TOKENS).exists():
        problems.add(
            ("web", "listen"),
            "can be reached by other machines, and there is no token that keeps them out; "
            "make one with `batchd web token`, or set `token`",
        )
