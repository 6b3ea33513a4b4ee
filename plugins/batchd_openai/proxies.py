"""The proxy that the environment names for live calls."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from batchd import RejectedError


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address without its password, which aiohttp would quote in errors; and headers with the password.

    For an https service, the request for a connection's tunnel carries the password; otherwise each call does.
    """

    url: str | None = None
    with_each_call: Mapping[str, str] = field(default_factory=dict, repr=False)
    with_tunnel: Mapping[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, address: str) -> Proxy:
        """Read HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, which the other calls follow too."""
        service = urlsplit(address)
        proxies = getproxies_environment()
        named = proxies.get(service.scheme) or proxies.get("all")
        if not named or proxy_bypass(service.netloc):
            return NO_PROXY
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        if proxy.scheme not in {"http", "https"}:
            raise RejectedError(
                f"{address} cannot be called: the environment names a proxy of the kind {proxy.scheme}, and batchd "
                "makes live calls through HTTP proxies only. Name one of those in HTTPS_PROXY, or add the host of the "
                "service to NO_PROXY; then start batchd again."
            )
        url = proxy._replace(netloc=proxy.netloc.rpartition("@")[2]).geturl()
        if proxy.username is None:
            return cls(url)
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        headers = {"Proxy-Authorization": f"Basic {b64encode(login).decode()}"}
        return cls(url, with_tunnel=headers) if service.scheme == "https" else cls(url, headers)


NO_PROXY = Proxy()
