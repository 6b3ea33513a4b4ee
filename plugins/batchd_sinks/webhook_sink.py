"""The sink `webhook`: posts the rows as JSON, in signed pages that the receiver recognises by their keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from batchd import DeliveryJob, Page, PagedSink, Receipt, SignedPost, SignedPostSettings


class WebhookSinkSettings(SignedPostSettings):
    """The table of a `webhook` sink."""

    page_rows: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Rows in a page, at most."""
    page_bytes: Annotated[int, Field(ge=1)] = 1_000_000
    """Bytes of the rows of a page, at most, unless one row alone has more."""


class WebhookSink(PagedSink[WebhookSinkSettings]):
    """Posts each page until the receiver accepts it. The last page of a job says so."""

    Settings = WebhookSinkSettings

    def __init__(self, settings: WebhookSinkSettings) -> None:
        super().__init__(settings)
        self.page_rows, self.page_bytes = settings.page_rows, settings.page_bytes
        self._post = SignedPost(settings)

    async def send(self, page: Page) -> None:
        await self._post.send(page.json(), key=page.key)

    def receipt(self, job: DeliveryJob, rows: int) -> Receipt:  # noqa: ARG002  # the address is the same for all jobs
        return Receipt(self._post.where, rows=rows)

    async def aclose(self) -> None:
        await self._post.aclose()
