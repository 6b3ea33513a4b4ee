"""The observer `notify`: messages by mail, Slack, Teams, Discord, Telegram and a hundred others, through apprise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from batchd import Duration, Event, Observer, RejectedError, Secret, Settings, TransientError

from .words import Language, body, subject

if TYPE_CHECKING:
    import apprise


class NotifySettings(Settings):
    """The table of a `notify` observer."""

    urls: Annotated[list[Secret], Field(min_length=1)]
    """Where messages go, as addresses of apprise: `"mailto://user:password@example.org"`. Each may be `"env:NAME"`."""
    group: Duration = 30.0
    """How long to wait for more after an event, so that thirty files are one message."""
    language: Language = "en"
    """The language of messages: `"en"` or `"vi"`."""


class Notify(Observer[NotifySettings]):
    """Sends one message for all events that came together."""

    Settings = NotifySettings
    _service: apprise.Apprise | None = None

    def __init__(self, settings: NotifySettings) -> None:
        super().__init__(settings)
        self.group_for = settings.group

    async def aopen(self) -> None:
        """Raises RejectedError if apprise does not know an address."""
        self._service = await asyncio.to_thread(self._made)

    async def notice(self, event: Event) -> None:
        await self.notice_all([event])

    async def notice_all(self, events: Sequence[Event]) -> None:
        """Raises TransientError if an address did not take the message; then all addresses get it again."""
        service = self._service
        assert service is not None, "aopen comes first"
        language = self.settings.language
        if not await asyncio.to_thread(_send, service, subject(events, language), body(events, language)):
            raise TransientError("a service did not take the message; batchd's log at debug has apprise's own words")

    def _made(self) -> apprise.Apprise:
        try:
            import apprise
        except ImportError:
            raise RejectedError("This observer needs the package apprise: pip install 'batchd[notify]'") from None
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="batchd", app_desc="batchd", async_mode=False))
        for number, url in enumerate(self.settings.urls, start=1):
            if not service.add(url.reveal()):
                raise RejectedError(
                    f"Address {number} in urls, from {url.where}, is none that apprise knows. It needs one such as "
                    "mailto://user:password@example.org; apprise's documentation lists all kinds."
                )
        for each in service:
            if each.overflow_mode is apprise.OverflowMode.UPSTREAM:  # the default; some services refuse long messages
                each.overflow_mode = apprise.OverflowMode.SPLIT
        return service


def _send(service: apprise.Apprise, title: str, text: str) -> bool:
    sent: Any = service.notify(title=title, body=text, body_format="text")
    return bool(sent)
