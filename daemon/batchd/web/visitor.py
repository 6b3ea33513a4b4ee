"""Who asks: where a request comes from, by which host name, and whether its form was ours."""

from __future__ import annotations

import ipaddress
import pwd
import socket
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from ..config.web import Address, WebTable, is_ip
from ..status.formatting import one_line
from .tokens import Key, WebRole

if TYPE_CHECKING:
    from aiohttp import web

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
NAME_SHOWN = 80
"""Characters that are kept of a user's name from a proxy."""


class Visitor(Struct, frozen=True):
    """Someone who has shown a token, or came through the socket. `browser`: forms must carry our form token."""

    role: WebRole
    who: str
    key: Key
    cookie: str = ""
    browser: bool = False


class RequestOrigin(Struct, frozen=True):
    """Where a request comes from. A proxy's headers count only if the proxy is one of those that are trusted."""

    peer: str
    user: str | None
    secure: bool


def origin_of(request: web.Request, trusted: Iterable[str]) -> RequestOrigin:
    """Find the origin from the connection, and from the headers of a trusted proxy."""
    peer, user = _peer(request)
    if not _is_trusted(peer, trusted):
        return RequestOrigin(peer, user, secure=False)
    # The last address is the one that the trusted proxy itself has seen.
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    name = one_line(request.headers.get("X-Forwarded-User", ""))[:NAME_SHOWN].strip()
    secure = request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return RequestOrigin(told if is_ip(told) else peer, name or None, secure)


def host_is_ours(host: str, web_table: WebTable, address: Address) -> bool:
    """Whether a `Host` header names this page. Another site could make its own name point at our address."""
    name = host_name(host)
    if name is None:
        return False
    known = {*web_table.hosts}
    if address.is_local or address.is_any:
        known |= LOCAL_HOSTS
    if address.host and not address.is_any:
        known.add(address.host.lower())
    return name in known


def host_name(host: str) -> str | None:
    """The name in a `Host` header, without the port; None if that is no host."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises for a port that is no number
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or parts.path or parts.query or parts.fragment:
        return None
    return (parts.hostname or "").rstrip(".") or None


def comes_from_us(request: web.Request) -> bool:
    """Whether a page of ours has sent this request, by the headers `Origin` and `Sec-Fetch-Site`."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None or origin == "null":
        # Without an origin, the browser must say itself that the form is from this site.
        return site == "same-origin"
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc == request.headers.get("Host", "")


def _peer(request: web.Request) -> tuple[str, str | None]:
    """The address of the other end, or `unix`; at a Unix socket also the name of the user."""
    transport = request.transport
    if transport is None:
        return "", None
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_UNIX:
        return "unix", _user_at(connection)
    name = transport.get_extra_info("peername")
    return (_plain(str(name[0])) if isinstance(name, tuple) else ""), None


def _plain(host: str) -> str:
    """The address as it is written elsewhere: a socket of both families shows 10.0.0.1 as ::ffff:10.0.0.1."""
    mapped = ipaddress.IPv6Address(host).ipv4_mapped if ":" in host and is_ip(host) else None
    return host if mapped is None else str(mapped)


def _user_at(connection: socket.socket) -> str | None:
    size = struct.calcsize("3i")
    try:
        _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    except OSError:
        return None
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _is_trusted(peer: str, trusted: Iterable[str]) -> bool:
    for each in trusted:
        if each == "unix" or peer == "unix":
            if each == peer:
                return True
        elif is_ip(peer) and ipaddress.ip_address(peer) in ipaddress.ip_network(each):
            return True
    return False
