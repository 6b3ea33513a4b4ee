"""The keys of the executor `dask`."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator

from batchd import Settings

_ENCRYPTED = {"tls", "wss"}
_IN_THE_CLEAR = {"tcp", "ws", "ucx", "ucxx"}


class DaskSettings(Settings):
    """`address` is the scheduler's. `insecure` allows one that is neither on this machine nor encrypted."""

    insecure: bool = False
    address: str  # after `insecure`, which its validator reads

    @field_validator("address")
    @classmethod
    def _is_private(cls, address: str, told: ValidationInfo) -> str:
        scheme, host = parts(address)
        if scheme not in {*_ENCRYPTED, *_IN_THE_CLEAR, "inproc"} or (scheme != "inproc" and not host):
            raise ValueError(f'"{address}" is not the address of a scheduler; write one such as "tls://10.0.0.5:8786"')
        if scheme in _IN_THE_CLEAR and not is_loopback(host) and not told.data.get("insecure", False):
            raise ValueError(
                f"{address} is neither on this machine nor encrypted, and a port of Dask runs any code that is sent to "
                "it. Use tls:// with certificates, or a tunnel; insecure = true takes the risk"
            )
        return address


def parts(address: str) -> tuple[str, str]:
    """Scheme and host."""
    whole = address if "://" in address else f"tcp://{address}"
    try:
        split = urlsplit(whole)
        return split.scheme, split.hostname or ""
    except ValueError:
        return "", ""


def is_loopback(host: str) -> bool:
    """Whether the host can be reached only from this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
