"""Orders over the page and the API: left as the command line leaves them, with who gave them and how."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from batchd.engine.steps.orders import obey
from batchd.status.story import story
from batchd.web.tokens import WebRole

from ..cli.cli_kit import House, finished_house, stuck
from .web_kit import served


def orders_of(house: House) -> list[dict[str, Any]]:
    """Those that wait, or were answered."""
    connection = sqlite3.connect(house.state / "batchd.db")
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM orders ORDER BY id")]
    finally:
        connection.close()


async def carry_out(house: House) -> None:
    """A daemon looks at its orders once."""
    async with house.living() as living:
        for order in await living.context.store.event_log.orders():
            await obey(living.context, order)


async def test_a_button_is_an_order_with_a_name(house: House) -> None:
    job = await asyncio.to_thread(stuck, house)
    async with served(house, trusted_proxies=["127.0.0.1"]) as web:
        browser = await web.browser()
        text = await browser.text(f"/jobs/{job}")
        assert f'action="/jobs/{job}/retry"' in text
        assert f'action="/jobs/{job}/cancel"' in text
        assert f'action="/jobs/{job}/approve"' not in text
        browser.headers["X-Forwarded-User"] = "alice"
        answer = await browser.post(f"/jobs/{job}/cancel")
        assert answer.status == 303
        assert answer.headers["Location"].startswith(f"/jobs/{job}?note=")
        # What came of it stands on the next page, once.
        there = answer.headers["Location"]
        assert "No daemon is running. It will cancel job" in await browser.text(there)
        assert "It will cancel job" not in await browser.text(there)
    [order] = orders_of(house)
    assert (order["kind"], order["target"], order["who"], order["door"]) == ("cancel", job, "alice", "page")
    await carry_out(house)
    told = [each.sentence for each in story(house.state, job)]
    assert "alice ordered on the page: cancel." in told
    [given] = [each.data for each in story(house.state, job) if each.kind == "OrderGiven"]
    assert (given["given"], given["who"], given["door"]) == (order["at"], "alice", "page")


async def test_orders_of_programs(finished: House, finished_job: str, with_held_batch: tuple[House, str, str]) -> None:
    async with served(finished) as web:
        program = web.program()
        job = f"/api/v1/jobs/{finished_job}"
        faults = []
        for path, body, status in (
            (f"{job}/retry", {}, 202),
            (f"{job}/cancel", None, 202),
            (f"{job}/approve", {"up_to": "12.50"}, 202),
            (f"{job}/approve", {"up_to": 3}, 202),
            (f"{job}/approve", {"up_to": "a lot"}, 400),
            (f"{job}/approve", {"up_to": -1}, 400),
            (f"{job}/approve", {"up_to": True}, 400),
            (f"{job}/approve", {"most": "1"}, 400),
            (f"{job}/skip-sink", {"sink": "csv"}, 202),
            (f"{job}/skip-sink", {}, 400),
            (f"{job}/purge", {}, 202),
            (f"{job}/purge", {"sink": "csv"}, 400),
            ("/api/v1/jobs/nosuch/purge", {}, 404),
            (f"{job}/delete", {}, 404),
            ("/api/v1/jobs/nosuch/cancel", {}, 404),
            ("/api/v1/jobs/%27%20OR%201=1--/cancel", {}, 404),
            ("/api/v1/batches/nosuch/resolve", {"absent": True}, 404),
            ("/api/v1/batches/nosuch/resolve", {}, 400),
            ("/api/v1/batches/nosuch/resolve", {"absent": True, "found": "x"}, 400),
        ):
            answer = await program.post(path, json=body)
            if answer.status != status:
                faults.append(f"{path} {body}: {answer.status} {await answer.text()}")
        for content, kind, status in (
            ("{", "application/json", 400),
            ("[]", "application/json", 400),
            ("up_to=1", "application/x-www-form-urlencoded", 415),
            ('{"a": "' + "x" * 70_000 + '"}', "application/json", 413),
            ("[" * 50_000, "application/json", 400),
        ):
            answer = await program.ask("POST", f"{job}/approve", data=content, **{"Content-Type": kind})
            if answer.status != status:
                faults.append(f"{content[:20]}: {answer.status}")
        assert not faults, "\n".join(faults)
        answer = await program.post(f"{job}/retry", json={})
        record = await answer.json()
        assert (record["kind"], record["target"], record["answered"]) == ("retry", finished_job, False)
    assert {order["door"] for order in orders_of(finished)} == {"API"}
    assert {order["who"] for order in orders_of(finished)} == {"Someone at 127.0.0.1"}
    house, _, batch = with_held_batch
    async with served(house) as web:
        answer = await web.program().post(f"/api/v1/batches/{batch[:6]}/resolve", json={"found": "batch-1"})
        assert answer.status == 202
        text = await web.program().text("/?group=held")
        assert "reviews/held.csv" in text


async def test_a_finished_job_is_purged_on_its_page_by_those_who_may_order(finished: House, finished_job: str) -> None:
    before = len(orders_of(finished))
    async with served(finished) as web:
        browser = await web.browser()
        for language, sentences in (
            ("en", ("Purge…", "the working files", "at the provider", "are yours, and stay", "cannot be undone")),
            ("vi", ("Xóa dữ liệu…", "các tập tin làm việc", "là của bạn", "Không thể hoàn tác")),
        ):
            text = await browser.text(f"/jobs/{finished_job}?lang={language}")
            form = text[text.index("<details>") : text.index("</details>")]
            assert f'action="/jobs/{finished_job}/purge"' in form
            assert [each for each in sentences if each not in form] == []
        reader = await web.browser(WebRole.READ)
        assert "/purge" not in await reader.text(f"/jobs/{finished_job}")
        assert (await reader.post(f"/jobs/{finished_job}/purge")).status == 403
        assert (await web.program(WebRole.READ).post(f"/api/v1/jobs/{finished_job}/purge")).status == 403
        assert len(orders_of(finished)) == before
        answer = await browser.post(f"/jobs/{finished_job}/purge")
        assert answer.status == 303
    [order] = orders_of(finished)[before:]
    assert (order["kind"], order["target"], order["door"]) == ("purge", finished_job, "page")


async def test_a_job_under_way_has_no_button_to_purge_it(house: House) -> None:
    job = await asyncio.to_thread(stuck, house)
    async with served(house) as web:
        assert "/purge" not in await (await web.browser()).text(f"/jobs/{job}")


async def test_sending_is_paused_and_resumed(house: House) -> None:
    async with served(house) as web:
        program, browser = web.program(), await web.browser()
        faults = []
        for path, body, status in (
            ("pause", {}, 202),
            ("pause", {"provider": "fake"}, 202),
            ("pause", {"route": "reviews"}, 202),
            ("pause", {"route": "nosuch"}, 404),
            ("pause", {"provider": "reviews"}, 404),
            ("pause", {"provider": "fake", "route": "reviews"}, 400),
            ("pause", {"what": "everything"}, 400),
            ("pause", {"route": ["reviews"]}, 400),
            ("resume", {"route": "left the configuration"}, 202),
            ("resume", {}, 202),
        ):
            answer = await program.post(f"/api/v1/{path}", json=body)
            if answer.status != status:
                faults.append(f"{path} {body}: {answer.status} {await answer.text()}")
        for what, status in (("route reviews", 303), ("everything", 303), ("", 400), ("provider", 400), ("x y", 400)):
            answer = await browser.post("/pause", {"what": what, "back": "/batches"})
            if answer.status != status:
                faults.append(f"{what}: {answer.status}")
        answer = await browser.post("/resume", {"what": "everything", "back": "//evil.example"})
        faults += [] if answer.headers["Location"].startswith("/?note=") else [answer.headers["Location"]]
        assert not faults, "\n".join(faults)
        given = [(order["kind"], order["target"], order["door"]) for order in orders_of(house)]
        assert given == [
            ("pause", "everything", "API"),
            ("pause", "provider fake", "API"),
            ("pause", "route reviews", "API"),
            ("resume", "route left the configuration", "API"),
            ("resume", "everything", "API"),
            ("pause", "route reviews", "page"),
            ("pause", "everything", "page"),
            ("resume", "everything", "page"),
        ]
        for language, words in (("en", "Nothing new is sent until"), ("vi", "Không gửi gì mới cho đến khi")):
            text = await browser.text(f"/?lang={language}")
            assert words in text
            assert '<option value="provider fake">' in text
        assert 'action="/pause"' not in await (await web.browser(WebRole.READ)).text("/batches")


async def test_what_is_paused_has_a_button_to_resume_it(house: House) -> None:
    async with house.living() as living:
        await living.context.store.pauses.pause("route reviews", "alice", "paused by alice. `batchd resume reviews`")
    async with served(house) as web:
        text = await (await web.browser()).text("/")
        assert "paused by alice. <code>batchd resume reviews</code>" in text
        form = text[text.index('action="/resume"') :]
        assert 'name="what" value="route reviews"' in form[: form.index("</form>")]
        assert "<strong>tạm dừng tuyến reviews</strong>" in await (await web.browser()).text("/?lang=vi")
        assert 'action="/resume"' not in await (await web.browser(WebRole.READ)).text("/")


async def test_a_refusal_of_the_daemon_is_a_conflict(tmp_path: Any) -> None:
    house, job = await asyncio.to_thread(finished_house, tmp_path / "house")
    async with served(house) as web:
        async with house.living() as living:
            asked = asyncio.create_task(web.program().post(f"/api/v1/jobs/{job}/cancel", json={}))
            while not (waiting := await living.context.store.event_log.orders()):
                await asyncio.sleep(0.01)
            for order in waiting:
                await obey(living.context, order)
            answer = await asked
        assert answer.status == 409
    [order] = orders_of(house)
    assert order["refused"] == 1
    kinds = [each.kind for each in story(house.state, job)]
    assert kinds[-2:] == ["OrderGiven", "OrderRefused"]
