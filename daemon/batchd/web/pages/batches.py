"""The batches under way, with the rates of live calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...status.listing import BatchList
from ..rendering import PageView, rendered

if TYPE_CHECKING:
    from aiohttp import web

    from ..desk import Desk


async def show(desk: Desk, request: web.Request) -> web.StreamResponse:
    def build(page: PageView) -> bytes:
        found = BatchList.take(page.setting.places)
        return page.render("batches.jinja", found.around.now, found=found, around=found.around)

    return await rendered(desk, request, build)
