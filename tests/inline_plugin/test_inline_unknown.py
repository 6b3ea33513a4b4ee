"""A create of unknown outcome, through a whole daemon in this process: nothing is asked twice, and others go on."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

import pytest
from inline_support import MODEL, Connect, OpenRouterService

from batchd.domain.lifecycle import Find, Submit
from batchd.domain.routing import PluginSpec, Route
from batchd.testing.household import Household, Living

pytestmark = pytest.mark.field("creates of unknown outcome")

PROMPT = PluginSpec("template", {"user": "{{ review }}"})
ROUTE = Route(name="reviews", match=("reviews/**",), provider="fake", model=MODEL, prompt=PROMPT)


async def work(daemon: Living, *files: str) -> list[object]:
    """Work until these files are in the outbox; the actions on the way."""
    done: list[object] = []
    async with asyncio.timeout(20):
        while not set(files) <= set(daemon.household.outbox()):
            done.append(await daemon.step())
    return done


async def test_until_it_is_known_nothing_is_asked_twice_and_others_go_on(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    provider = connect(openrouter, tries=1)
    house = Household(tmp_path / "house", provider=provider, routes=(ROUTE,), limits=provider.limits)
    async with house.living() as daemon:
        # A stranger's batch of as many requests runs, and does not say what it holds.
        stranger = {"endpoint": ROUTE.endpoint, "model": MODEL, "requests": [{"custom_id": "x"}] * 3, "left": 10**6}
        openrouter.batches["theirs"] = {"id": "theirs", "status": "in_progress", **stranger}
        openrouter.refuse("POST /batches", 502, "bad gateway")
        house.drop("reviews/may.csv", "id,review\n1,a\n2,b\n3,c\n")
        await daemon.take_in()
        done: list[object] = []
        while sum(isinstance(action, Find) for action in done) < 5:
            done.append(await daemon.step())
        assert openrouter.count("POST /batches") == 1
        said = list((await daemon.context.store.event_log.conditions()).values())
        assert any("not known yet" in text for text in said), said
        house.drop("reviews/june.csv", "id,review\n4,d\n5,e\n")
        await daemon.take_in()
        await work(daemon, "reviews/june.report.json")
        assert openrouter.count("POST /batches") == 2, "the other file went on"
        # The stranger's batch ends: now it is known that ours is not there, and it is created.
        openrouter.batches["theirs"]["left"] = 0
        done = await work(daemon, "reviews/may.report.json")
        assert sum(isinstance(action, Submit) for action in done) == 1
    assert openrouter.count("POST /batches") == 3
    rows = list(csv.DictReader(io.StringIO(house.outbox()["reviews/may.results.csv"].decode())))
    assert [row["status"] for row in rows] == ["ok"] * 3


async def test_a_batch_that_was_created_is_found_at_its_end_and_not_created_again(
    connect: Connect, openrouter: OpenRouterService, tmp_path: Path
) -> None:
    openrouter.polls, openrouter.lose_creates = 4, True
    provider = connect(openrouter, tries=1)
    house = Household(tmp_path / "house", provider=provider, routes=(ROUTE,), limits=provider.limits)
    house.drop("reviews/may.csv", "id,review\n1,a\n2,b\n3,c\n")
    async with house.living() as daemon:
        await daemon.take_in()
        done = await work(daemon, "reviews/may.report.json")
    assert sum(isinstance(action, Find) for action in done) >= 3
    assert (openrouter.count("POST /batches"), len(openrouter.batches)) == (1, 1)
    assert house.report("reviews/may.report.json")["rows"]["ok"] == 3
