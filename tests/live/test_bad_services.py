"""A service that is none, or a wrong setting: what a person is told, and how often the service was called for it."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from batchd.live.lanes import LiveTerms
from batchd.testing.household import Household
from batchd_openai.provider import OpenAIProvider

from ..engine.conftest import MakeHousehold, csv_of, route
from ..loopback import serving

ROWS = [f"review {number}" for number in range(6)]
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}], "usage": {}}


@dataclass(frozen=True)
class Bad:
    """A kind of service, the path of its base_url, what a person reads, and the most calls that it gets meanwhile.

    `row` is what is said of each row, where rows fail.
    """

    name: str
    says: str
    calls: int = 3 * len(ROWS)
    row: str = ""
    path: str = "/v1"


BAD = [
    Bad("page", r"answered with an HTML page .* check base_url and any proxy in between"),
    Bad("page", r"check base_url \(most end in /v1\)", path=""),
    Bad(
        "redirect", r"redirects to https://elsewhere\.example/v1/chat/completions.* set base_url = \"https://elsewhere"
    ),
    Bad("empty", r"answered with something that is not JSON .* check base_url"),
    Bad("text", r"answered with something that is not JSON .* check base_url"),
    Bad("stream", r"streams its answers though it was not asked to.* Look in its settings"),
    Bad("stream by another name", r"streams its answers though it was not asked to.* Look in its settings"),
    Bad("no money, as a success", r"cannot pay \(status 200: 余额不足.*Add credit there"),
    Bad("login of a proxy", r"A proxy before http.* without a login \(status 407.* into HTTPS_PROXY"),
    Bad("cut", r"broke when asked to answer a request: Not enough data.* look at the server and at any proxy"),
    Bad("cut without a sign", r"ends in the middle of its JSON.* proxy in between that may cut"),
    Bad("no model", r"The model `small` does not exist.*Check base_url, and the model and endpoint of the route"),
    Bad("no model, as 400", r"refuses every request of it: model 'small' not found\. Change `model`", calls=len(ROWS)),
    Bad("streams only", r"refuses every request of it: .*only support stream mode.*Change `model`", calls=len(ROWS)),
    Bad("too large", "", calls=len(ROWS), row=r"more than 32 MB, and batchd reads no more\. Set max_tokens"),
    Bad("another form", "", calls=len(ROWS), row=r"holds no answer\. Its keys: 'answer'\. .*check base_url"),
]


class Server:
    """Answers each call as the kind of service that stands first in its path. `calls` counts them."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        kind = request.path.split("/")[1].replace("-", " ")
        self.calls[kind] += 1
        match kind:
            case "page":
                return web.Response(text="<!doctype html><p>It works!", content_type="text/html")
            case "redirect":
                return web.Response(status=301, headers={"Location": "https://elsewhere.example/v1/chat/completions"})
            case "empty":
                return web.Response()
            case "text":
                return web.Response(text="OK, done.")
            case "stream":
                return web.Response(text="data: {}\n\n", content_type="text/event-stream")
            case "stream by another name":
                return web.Response(text='data: {"choices": []}\n\n', content_type="application/json")
            case "no money, as a success":
                return web.json_response({"code": 1113, "msg": "余额不足"})
            case "login of a proxy":
                return web.Response(status=407)
            case "cut":
                headers = {"Content-Type": "application/json", "Content-Length": "5000"}
                response = web.StreamResponse(headers=headers)
                await response.prepare(request)
                await response.write(b'{"choices": [')
                assert request.transport is not None
                request.transport.close()
                return response
            case "cut without a sign":
                return web.Response(text='{"choices": [', content_type="application/json")
            case "no model":
                error = {"message": "The model `small` does not exist", "code": "model_not_found"}
                return web.json_response({"error": error}, status=404)
            case "no model, as 400":
                return web.json_response({"error": {"message": "model 'small' not found"}}, status=400)
            case "streams only":
                error = {"message": "This model only support stream mode, please enable the stream parameter."}
                return web.json_response({"error": error}, status=400)
            case "too large":
                response = web.StreamResponse(headers={"Content-Type": "application/json"})
                await response.prepare(request)
                for _ in range(50):
                    await response.write(b"{" + b" " * 1_000_000)
                return response
            case "another form":
                return web.json_response({"answer": "fine"})
        return web.json_response(ANSWER)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    ours = Server()
    async with serving(ours.handle) as ours.url:
        yield ours


async def told(household: Household) -> str:
    """All that a person is told until there is nothing more to do, or until it is said what is waited for."""
    household.drop("reviews/may.csv", csv_of(ROWS))
    began = time.monotonic()
    async with asyncio.timeout(60), household.living() as daemon:
        await daemon.take_in()
        while time.monotonic() < began + 30:
            if await daemon.step() is None:
                break
            if said := list((await daemon.context.store.event_log.conditions()).values()):
                return "\n".join(said)
            await asyncio.sleep(0)
    return "\n".join(event.sentence for event in household.events)


@pytest.mark.slow(seconds=5)
@pytest.mark.field("live calls")
async def test_each_says_what_is_wrong_and_what_to_change_and_is_called_no_more_than_it_must(
    make_household: MakeHousehold, server: Server
) -> None:
    faults: list[str] = []
    for bad in BAD:
        settings = {"base_url": f"{server.url}/{bad.name.replace(' ', '-')}{bad.path}", "api_key": "none"}
        provider = OpenAIProvider(OpenAIProvider.Settings.model_validate(settings))
        household = make_household(provider=provider, live=LiveTerms(), routes=(route(part_rows=100),))
        server.calls.clear()
        said = await told(household)
        await provider.aclose()
        if not re.search(bad.says, said, re.DOTALL):
            faults.append(f"{bad.name}: {said}")
        if server.calls[bad.name] > bad.calls:
            faults.append(f"{bad.name}: {server.calls[bad.name]} calls")
        if bad.row:
            text = household.outbox()["reviews/may.results.csv"].decode()
            wrong = {row["error"] for row in csv.DictReader(io.StringIO(text)) if not re.search(bad.row, row["error"])}
            faults += [f"{bad.name}: {each}" for each in wrong]
    assert not faults, "\n\n".join(faults)
