"""The list of jobs, one job, and the batches under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...status.listing import GROUPS, BatchList, JobList, Wanted
from ...status.telling import JobStory
from ..desk import Desk
from ..rendering import PageView, rendered

if TYPE_CHECKING:
    from aiohttp import web

MAX_TEXT = 200


def wanted_of(query: Mapping[str, str], *, size: int | None = None) -> Wanted:
    """Which jobs a query asks for. Values that make no sense are ignored."""
    group = query.get("group")
    page = query.get("page", "1")
    usual = Wanted()
    return Wanted(
        group=group if group in GROUPS else None,
        route=query.get("route") or None,
        text=query.get("text", "").strip()[:MAX_TEXT],
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 and int(page) else 1,
        size=size or usual.size,
    )


async def show_list(desk: Desk, request: web.Request) -> web.StreamResponse:
    wanted = wanted_of(request.query)

    def build(page: PageView) -> bytes:
        jobs = JobList.take(page.setting.places, wanted)
        return page.render("jobs.jinja", jobs.around.now, jobs=jobs, wanted=jobs.wanted, around=jobs.around)

    return await rendered(desk, request, build)


async def show_job(desk: Desk, request: web.Request) -> web.StreamResponse:
    job = request.match_info["job"]

    def build(page: PageView) -> bytes:
        story = JobStory.take(page.setting.places, job)
        return page.render("job.jinja", story.around.now, story=story, job=story.job, around=story.around)

    return await rendered(desk, request, build)


async def show_batches(desk: Desk, request: web.Request) -> web.StreamResponse:
    """The batches under way, with the rates of live calls."""

    def build(page: PageView) -> bytes:
        found = BatchList.take(page.setting.places)
        return page.render("batches.jinja", found.around.now, found=found, around=found.around)

    return await rendered(desk, request, build)
