"""Posts JSON to an address that the operator chose, signed and dated, so that the receiver knows its origin."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import time
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from pydantic import PositiveFloat, model_validator

from ..errors import RejectedError, TransientError
from ..plugin_base import Settings
from ..rates import CallRate
from ..secrets.known import covered
from ..settings import Duration, Secret
from .headers import retry_after

if TYPE_CHECKING:
    import aiohttp

_PASSING = frozenset({408, 409, 425, 429})
_MAX_TOLD = 300


class SignedPostSettings(Settings):
    """The table of a plugin that posts to an address. Subclass it for more keys."""

    url: str
    """Where to send by POST. Plain http is for this machine, unless `insecure`."""
    secret: Secret
    """Signs what is sent: `"env:NAME"`, `"file:PATH"` or `"credential:NAME"`."""
    timeout: Duration = 30.0
    """How long the receiver may take."""
    per_second: PositiveFloat | None = None
    """How many posts to make in a second at most. By default as many as there are."""
    insecure: bool = False
    """Allow plain http to other machines."""

    @model_validator(mode="after")
    def _safe(self) -> SignedPostSettings:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url must be an address such as https://example.org/batchd")
        try:
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"url has no valid port: {error}") from None
        if parts.scheme == "http" and not self.insecure and not _here(parts.hostname):
            raise ValueError("url sends data to another machine without encryption; use https, or set insecure = true")
        return self


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SignedPost:
    """Posts to the address of the settings. The caller sends a post that was not accepted again, with the same key."""

    def __init__(self, settings: SignedPostSettings) -> None:
        self._settings = settings
        self._rate = CallRate(settings.per_second)
        self._session: aiohttp.ClientSession | None = None

    @property
    def where(self) -> str:
        """The address without what may be secret in it: `https://example.org`."""
        parts = urlsplit(self._settings.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"

    async def send(self, content: bytes, *, key: str) -> None:
        """Post `content`, which is JSON, with this `Idempotency-Key`. Returns once a status from 200 to 299 arrives.

        Raises TransientError if the receiver may take the post later, RejectedError if a person must act. Reads nothing
        of the answer but the beginning of a refusal, and follows no redirect.
        """
        import aiohttp

        await self._rate.turn()
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._settings.timeout))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **signature(self._settings.secret.reveal(), content, at=int(time.time())),
        }
        try:
            # A redirect could take the data, and its signature, to another company.
            async with self._session.post(
                self._settings.url, data=content, headers=headers, allow_redirects=False
            ) as response:
                if not 200 <= response.status < 300:
                    said = b"" if 300 <= response.status < 400 else await response.content.read(_MAX_TOLD)
                    self._refused(response, said, len(content))
        except TimeoutError:
            raise TransientError(
                f"{self.where} did not answer within {self._settings.timeout:.0f} s (timeout)."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(f"{self.where} could not be reached ({_reason(error)}).") from None

    async def aclose(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    def _refused(self, response: aiohttp.ClientResponse, said: bytes, size: int) -> NoReturn:
        status, where = response.status, self.where
        words = covered(" ".join(said.decode(errors="replace").split()))
        quoted = f" It says: {words!r}." if words.isprintable() and words else ""
        if 300 <= status < 400:
            raise RejectedError(
                f"{where} redirects elsewhere (status {status}). Write the address that it moved to into url."
            )
        if status in {401, 403}:
            raise RejectedError(
                f"{where} does not accept our signature (status {status}).{quoted} Check that secret is the one that "
                "the receiver has, and that the clocks of both are right."
            )
        if status in {404, 405, 410}:
            raise RejectedError(f"{where} knows no such address (status {status}).{quoted} Correct url.")
        if status == 413:
            raise RejectedError(
                f"{where} takes no content of {size:,} bytes (status 413).{quoted} Have the receiver take more, or "
                "make pages smaller (page_bytes, page_rows)."
            )
        if status in _PASSING or status >= 500:
            raise TransientError(
                f"{where} answered with status {status}.{quoted}", retry_after=retry_after(response.headers)
            )
        raise RejectedError(f"{where} refuses the content (status {status}).{quoted} Its log may say why.")


def signature(secret: str, content: bytes, *, at: int) -> dict[str, str]:
    """The headers that prove where the content comes from, and when it was written: HMAC-SHA256 of `time.content`."""
    signed = hmac.new(secret.encode(), b"%d." % at + content, hashlib.sha256).hexdigest()
    return {"Batchd-Timestamp": str(at), "Batchd-Signature": f"v1={signed}"}


def _reason(error: Exception) -> str:
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None) or 0
    # asyncio's own text for a refused connection is not meant for people.
    return os.strerror(number) if number > 0 else str(getattr(cause, "strerror", None) or type(error).__name__)
