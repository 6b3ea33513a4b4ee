"""The observer `webhook`: each event as JSON to an address, signed, so that the receiver knows where it comes from."""

from __future__ import annotations

from batchd import Event, Observer, SignedPost, SignedPostSettings

from .words import encoded


class Webhook(Observer[SignedPostSettings]):
    """Posts each event. What is not accepted is sent again, with the same Idempotency-Key."""

    Settings = SignedPostSettings

    def __init__(self, settings: SignedPostSettings) -> None:
        super().__init__(settings)
        self._post = SignedPost(settings)

    async def notice(self, event: Event) -> None:
        """Raises TransientError unless the receiver accepts it with a status from 200 to 299."""
        await self._post.send(encoded(event), key=f"batchd-event-{event.id}")

    async def aclose(self) -> None:
        await self._post.aclose()
