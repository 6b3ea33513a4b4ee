"""Uploads, polls and downloads over bad connections."""

from __future__ import annotations

import pytest

from ..cases import share
from .conftest import MakePair

pytestmark = [pytest.mark.slow, pytest.mark.field("transfers")]


@pytest.mark.parametrize(
    ("fault", "posts", "stored"),
    share(
        [
            ("upload:cut", 2, 1),
            ("upload:cut-after", 1, 1),  # it was there, and was found by its name and size
            ("upload:500", 2, 1),
            ("upload:500-after", 1, 1),
            ("upload:503:retry-after=0.01", 2, 1),
            ("upload:429:retry-after=0.01", 2, 1),
            ("upload:429-after:retry-after=0.01", 1, 1),
            ("upload:html", 2, 1),
            # More often than the plugin tries by itself: the daemon waits and goes on.
            ("upload:cut:count=5", 6, 1),
            ("upload:500:count=5", 6, 1),
        ]
    ),
)
async def test_an_upload_that_fails_is_repeated_and_leaves_no_stray(
    make_pair: MakePair, fault: str, posts: int, stored: int
) -> None:
    pair = await make_pair(fault)
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["upload_calls"] == posts
    assert [upload["deleted"] for upload in ledger["uploads"]] == [True] * stored
    assert ledger["create_calls"] == 1


@pytest.mark.parametrize(
    "fault",
    share(
        [
            "retrieve:500:count=7",
            "retrieve:503:count=7,retry-after=0.01",
            "retrieve:429:count=7,retry-after=0.01",
            "retrieve:cut:count=7",
            "retrieve:cut-after:count=7",
            "retrieve:html:count=7",
            "retrieve:404:count=7",  # known again after a while
            "retrieve:slow:delay=50ms",
        ]
    ),
)
async def test_polls_that_fail_cost_nothing_but_time(make_pair: MakePair, fault: str) -> None:
    pair = await make_pair(fault)
    await pair.ask()
    ledger = await pair.all_well()
    assert (ledger["create_calls"], ledger["upload_calls"]) == (1, 1)


async def test_a_provider_that_falls_silent_is_not_listened_to_for_ever(make_pair: MakePair) -> None:
    pair = await make_pair("retrieve:silence", "content:silence", provider={"request_timeout": 0.5})
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["create_calls"] == 1
    assert ledger["calls"]["content"] >= 2


async def test_answers_that_are_not_there_for_minutes_after_completion_are_waited_for(make_pair: MakePair) -> None:
    pair = await make_pair("content:404:count=9")
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["calls"]["content"] == 10
    assert ledger["create_calls"] == 1
    at = {event.kind: number for number, event in enumerate(pair.household.events)}
    assert at["BatchEnded"] < at["ConditionRaised"] < at["ConditionCleared"] < at["BatchDownloaded"]


async def test_files_that_are_named_only_minutes_after_completion_are_waited_for(make_pair: MakePair) -> None:
    pair = await make_pair("retrieve:no-files:count=always")
    pair.household.drop("reviews/may.csv", "id,review\n1,fine\n2,late\n")
    async with pair.household.living() as daemon:
        await daemon.take_in()

        async def complained() -> bool:
            return any("names no file" in text for text in (await daemon.context.store.event_log.conditions()).values())

        await pair.until(daemon, complained)
        assert pair.told.count("BatchDownloaded") == 0
        await pair.sandbox.lift()
        await pair.drain(daemon)
        assert await daemon.context.store.event_log.conditions() == {}
    ledger = await pair.all_well(2)
    assert ledger["create_calls"] == 1


CUT = "content:cut"


@pytest.mark.parametrize(
    ("faults", "downloads", "resumed"),
    share(
        [
            ([CUT], 2, 1),
            ([f"{CUT}:count=4"], 5, 4),
            ([CUT, "content:no-range"], 3, 0),  # from the beginning, where the service cannot go on
            (["content:short"], 2, 1),  # found out by the size of the file, though there was no error to see
            (["content:short:count=3"], 4, 3),
            (["content:cut-after"], 2, 0),
            (["content:500"], 2, 0),
            (["content:429:retry-after=0.01"], 2, 0),
            (["content:html"], 2, 0),
            (["content:slow:delay=50ms"], 1, 0),
            # More often than the plugin tries by itself.
            (["content:500:count=8"], 9, 0),
        ]
    ),
    ids=lambda value: "+".join(value) if isinstance(value, list) else None,
)
async def test_a_download_is_whole_in_the_end(
    make_pair: MakePair, faults: list[str], downloads: int, resumed: int
) -> None:
    pair = await make_pair(*faults)
    await pair.ask([f"a review of some length and of number {number}" for number in range(60)])
    ledger = await pair.all_well(60)
    assert ledger["calls"]["content"] == downloads
    assert ledger["calls"].get("content-resumed", 0) == resumed
    assert ledger["create_calls"] == 1
