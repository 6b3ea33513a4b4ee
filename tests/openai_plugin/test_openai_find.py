"""Looking for a batch whose creation was not confirmed: on every page, without missing one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai_support import Connect, FakeService, batch, named, submission_of

from batchd import CannotFind, RejectedError, TransientError
from batchd.values import replace
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider


def others(*numbers: int) -> list[dict[str, Any]]:
    return [batch(f"other_{number}", input_file_id=f"file-of-{number}") for number in numbers]


def pages(store: list[dict[str, Any]], *, size: int, **more: Any) -> Any:
    """OpenAI's way: `after`, `limit`, `has_more`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        after = request.query.get("after")
        start = [item["id"] for item in store].index(after) + 1 if after else 0
        page = store[start : start + size]
        answer = {"object": "list", "data": page, "has_more": start + size < len(store)}
        return web.json_response({**answer, **more})

    return handle


async def test_it_is_found_on_the_last_page(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    service.on("GET", "/batches", pages([*others(*range(25)), batch("ours")], size=5))
    assert await provider.find(submission_of(tmp_path)) == ["ours"]
    assert service.count("GET", "/batches") == 6
    assert service.calls("GET", "/batches")[0].query["limit"] == "100"


async def test_all_pages_are_read_even_if_it_is_on_the_first(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    store = [
        batch("newer", created_at=20),
        *others(1, 2, 3),
        batch("older", created_at=10, input_file_id=None, metadata={"batchd_key": "01key"}),
        batch("not_ours", input_file_id="file-11", metadata={"batchd_key": "01key2"}),
    ]
    service.on("GET", "/batches", pages(store, size=2))
    assert await provider.find(submission_of(tmp_path)) == ["older", "newer"]


async def test_those_that_ask_the_same_rows_are_found_whatever_their_keys(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    mark = {"batchd_key": "another", "batchd_rows": "8f3a"}
    store = [*others(1, 2), batch("ours", input_file_id="file-77", metadata=mark), *others(3)]
    service.on("GET", "/batches", pages(store, size=2))
    submission = submission_of(tmp_path)
    assert await provider.find_rows(replace(submission, rows_key="8f3a")) == ["ours"]
    assert await provider.find_rows(replace(submission, rows_key="8f3b")) == []
    with pytest.raises(CannotFind):
        await provider.find_rows(submission)


async def test_of_two_batches_of_one_second_the_older_is_further_down(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("GET", "/batches", pages([batch("newer", created_at=10), batch("older", created_at=10)], size=1))
    assert await provider.find(submission_of(tmp_path)) == ["older", "newer"]


async def test_no_batch_means_that_every_page_was_read(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("GET", "/batches", pages(others(*range(7)), size=3))
    assert await provider.find(submission_of(tmp_path)) == []
    assert service.count("GET", "/batches") == 3


async def test_groqs_cursors(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    answers = {
        None: {"object": "list", "data": others(1, 2), "paging": {"next_cursor": "c1"}},
        "c1": {"object": "list", "data": others(3, 4), "paging": {"next_cursor": "c2"}},
        "c2": {"object": "list", "data": [batch("ours", errors=[{"code": "x"}])]},
    }

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(answers[request.query.get("cursor")])

    service.on("GET", "/batches", handle)
    assert await provider.find(submission_of(tmp_path)) == ["ours"]
    assert service.count("GET", "/batches") == 3


async def test_a_cursor_that_leads_in_circles_is_no_proof(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    circle = {"object": "list", "data": others(1, 2), "paging": {"next_cursor": "again"}}
    service.on("GET", "/batches", circle)
    with pytest.raises(CannotFind, match="there are more"):
        await provider.find(submission_of(tmp_path))
    assert service.count("GET", "/batches") == 2


async def test_a_list_that_always_has_more_is_no_proof(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("GET", "/batches", {"object": "list", "data": others(1, 2), "has_more": True})
    with pytest.raises(CannotFind, match="there are more"):
        await provider.find(submission_of(tmp_path))
    service.on("GET", "/batches", {"object": "list", "data": [batch("ours"), *others(1)], "has_more": True})
    assert await provider.find(submission_of(tmp_path)) == ["ours"]


async def test_an_empty_page_is_the_end(service: FakeService, provider: OpenAIProvider, tmp_path: Path) -> None:
    service.on("GET", "/batches", {"data": others(1), "has_more": True}, {"data": [], "has_more": True})
    assert await provider.find(submission_of(tmp_path)) == []
    assert service.count("GET", "/batches") == 2


async def test_endless_pages_end_at_a_limit(service: FakeService, connect: Connect, tmp_path: Path) -> None:
    provider = connect(pacing=OpenAIPacing(max_pages=5))
    count = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.json_response({"data": others(count), "has_more": True})

    service.on("GET", "/batches", endless)
    with pytest.raises(CannotFind):
        await provider.find(submission_of(tmp_path))
    assert count == 5


async def test_a_list_that_does_not_say_whether_it_has_more_is_asked(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    store = [*others(1, 2, 3), batch("ours")]

    async def handle(request: web.Request) -> web.StreamResponse:
        after = request.query.get("after")
        start = [item["id"] for item in store].index(after) + 1 if after else 0
        return web.json_response({"object": "list", "data": store[start : start + 2]})

    service.on("GET", "/batches", handle)
    assert await provider.find(submission_of(tmp_path)) == ["ours"]


@pytest.mark.parametrize(
    "answer",
    [
        [batch("ours"), *others(1)],
        {"code": 20000, "data": {"object": "list", "data": [batch("ours")], "has_more": False}},
        {"data": [{"job": batch("ours")}]},
        {"batches": [batch("ours")]},
    ],
    ids=["bare", "enveloped", "items wrapped", "other name"],
)
async def test_other_shapes_of_a_list(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any
) -> None:
    service.on("GET", "/batches", answer)
    assert await provider.find(submission_of(tmp_path)) == ["ours"]


async def test_times_written_as_text_are_in_order_too(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    store = [
        batch("third", created_at=None),
        batch("second", created_at="2026-11-24T10:00:00+01:00"),
        batch("first", created_at="2026-11-24T08:59:59Z"),
    ]
    service.on("GET", "/batches", {"data": store, "has_more": False})
    assert await provider.find(submission_of(tmp_path)) == ["first", "second", "third"]


@pytest.mark.parametrize(
    "answer", [404, 405, 501, 400, {"object": "health", "status": "ok"}, {"data": "none"}], ids=named
)
async def test_a_service_without_a_list_raises_cannot_find(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any
) -> None:
    service.on("GET", "/batches", answer)
    with pytest.raises(CannotFind, match=r"when asked to list its batches"):
        await provider.find(submission_of(tmp_path))


async def test_a_list_without_input_files_raises_cannot_find(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("GET", "/batches", {"data": [{"id": "b", "status": "completed"}], "has_more": False})
    with pytest.raises(CannotFind, match="without saying"):
        await provider.find(submission_of(tmp_path))


@pytest.mark.parametrize(
    ("answer", "error"), [(500, TransientError), ((200, "<html>down</html>"), TransientError), (401, RejectedError)]
)
async def test_a_page_that_fails_is_not_an_empty_page(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path, answer: Any, error: type[Exception]
) -> None:
    service.on("GET", "/batches", {"data": others(1), "has_more": True}, answer)
    with pytest.raises(error):
        await provider.find(submission_of(tmp_path))


async def test_a_page_that_fails_once_is_retried(
    service: FakeService, provider: OpenAIProvider, tmp_path: Path
) -> None:
    service.on("GET", "/batches", 502, {"data": [batch("ours")], "has_more": False})
    assert await provider.find(submission_of(tmp_path)) == ["ours"]
