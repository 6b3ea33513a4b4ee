"""Live pages: a line to each browser as soon as something has changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batchd.domain.subjects import Subject
from batchd.web.application import CHANGES

from ..cli.cli_kit import House
from .web_kit import Web, served

if TYPE_CHECKING:
    from aiohttp import ClientResponse


async def listen(web: Web) -> ClientResponse:
    """A browser that has begun to listen."""
    program = web.program()
    answer = await program.client.get("/api/v1/stream", headers=program.headers)
    assert answer.content_type == "text/event-stream"
    assert (await answer.content.readuntil(b"\n\n")).startswith(b"retry: ")
    return answer


@pytest.mark.slow
async def test_a_change_is_told(house: House) -> None:
    async with served(house) as web:
        answer = await listen(web)
        told = asyncio.create_task(answer.content.readuntil(b"\n\n"))
        async with house.living() as living:
            async with asyncio.timeout(10):
                number = 0
                while not told.done():
                    number += 1
                    await living.context.store.event_log.raise_condition(Subject.provider("fake"), f"away {number}")
                    await asyncio.wait([told], timeout=0.02)
        assert told.result() == b"event: changed\ndata: {}\n\n"
        answer.close()


async def test_browsers_that_listen_are_bounded_and_let_go(house: House) -> None:
    async with served(house, streams=1) as web:
        answer = await listen(web)
        refused = await web.program().get("/api/v1/stream")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
        async with asyncio.timeout(5):
            await web.server.app[CHANGES].close(web.server.app)
            assert await answer.content.read() == b""
        assert (await web.program().get("/api/v1/stream")).status == 503
