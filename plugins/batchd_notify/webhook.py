"""The observer `webhook`: each event as JSON to an address, signed, so that the receiver knows where it comes from."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import model_validator

from batchd import Duration, Event, Observer, RejectedError, Secret, Settings, TransientError

from .words import record

if TYPE_CHECKING:
    import aiohttp


class WebhookSettings(Settings):
    """The table of a `webhook` observer."""

    url: str
    """Where events are sent by POST. Plain http is for this machine, unless `insecure`."""
    secret: Secret
    """Signs each event: `"env:NAME"`, `"file:PATH"` or `"credential:NAME"`."""
    timeout: Duration = 30.0
    """How long the receiver may take."""
    insecure: bool = False
    """Allow plain http to other machines."""

    @model_validator(mode="after")
    def _safe(self) -> WebhookSettings:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url must be an address such as https://example.org/batchd")
        if parts.scheme == "http" and not self.insecure and not _here(parts.hostname):
            raise ValueError(
                "url sends events to another machine without encryption; use https, or set insecure = true"
            )
        return self


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Webhook(Observer[WebhookSettings]):
    """Posts each event. What is not accepted is sent again, with the same Idempotency-Key."""

    Settings = WebhookSettings
    _session: aiohttp.ClientSession | None = None

    async def aopen(self) -> None:
        """See Observer."""
        import aiohttp

        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.settings.timeout))

    async def notice(self, event: Event) -> None:
        """See Observer. Raises TransientError unless the receiver accepts it with a status from 200 to 299."""
        import aiohttp

        assert self._session is not None, "aopen comes first"
        content = json.dumps(record(event), ensure_ascii=False).encode("utf-8", "replace")
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"batchd-event-{event.id}",
            **signature(self.settings.secret.reveal(), content, at=int(time.time())),
        }
        try:
            # A redirect could take the event, and its signature, to another house.
            async with self._session.post(
                self.settings.url, data=content, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(f"the receiver could not be reached ({type(error).__name__})") from None
        if 300 <= status < 400:
            raise RejectedError(
                f"the receiver sends elsewhere (status {status}); write the address it moved to into url"
            )
        if not 200 <= status < 300:
            raise TransientError(f"the receiver answered with status {status}")

    async def aclose(self) -> None:
        """See Observer."""
        if self._session is not None:
            await self._session.close()


def signature(secret: str, content: bytes, *, at: int) -> dict[str, str]:
    """The headers that prove where the content comes from, and when it was written: HMAC-SHA256 of `time.content`."""
    signed = hmac.new(secret.encode(), b"%d." % at + content, hashlib.sha256).hexdigest()
    return {"Batchd-Timestamp": str(at), "Batchd-Signature": f"v1={signed}"}
