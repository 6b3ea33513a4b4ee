"""The pages of jobs."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

from batchd.money.pricing import unit
from batchd.people.language import Language
from batchd.status.listing import JobList, Wanted, likely_back
from batchd.status.overview import Overview
from batchd.status.places import Places
from batchd.status.telling import JobStory
from batchd.store.reading.snapshot import snapshot
from batchd.values import replace
from batchd.web.rendering import Words, commands

from ..cli.cli_kit import House, finished_house, half_way, stuck
from .web_kit import served


async def test_a_job_that_is_done(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        program = web.program()
        jobs = await program.text("/")
        assert f'href="/jobs/{finished_job}"' in jobs
        assert "4 of 5" in jobs
        job = await program.text(f"/jobs/{finished_job}")
        for text in ("may.results.csv", "may.failed.csv", "may.report.json", "1 × refused", "The model declined."):
            assert text in job, text
        assert "Finished reviews/may.csv" in job
        # As the command line finds it: by the name of the file.
        assert "The model declined." in await program.text("/jobs/may.csv")


async def test_a_job_that_is_not_there(finished: House) -> None:
    async with served(finished) as web:
        answer = await web.program().get("/jobs/nosuch", Accept="text/html")
        assert answer.status == 404
        assert "There is no job" in await answer.text()


async def test_jobs_under_way(under_way: tuple[House, list[str]]) -> None:
    house, [may, _] = under_way
    async with served(house) as web:
        program = web.program()
        text = await program.text("/?group=now")
        assert "3 of 9" in text
        assert "No daemon is running" in text
        assert "may.csv" not in await program.text("/?group=done")
        assert "waiting for answers" in await program.text(f"/jobs/{may}")


async def test_it_speaks_vietnamese(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        browser = await web.browser()
        assert 'lang="vi"' in await browser.text("/?lang=vi")
        # From then on.
        text = await browser.text(f"/jobs/{finished_job}")
        assert '<html lang="vi">' in text
        assert "đã xong" in text


async def test_whatever_names_hold_is_text(house: House) -> None:
    name = "reviews/<script>alert(1)<\x1b[31m\udcff&amp;.csv"
    await asyncio.to_thread(house.run, name, ["good"])
    async with served(house) as web:
        text = await web.program().text("/")
        assert "<script>alert" not in text
        assert "\x1b" not in text
        assert "&lt;script&gt;alert(1)&lt;" in text


def test_ten_thousand_jobs_come_by_the_page(finished: House) -> None:
    places = Places.of(finished.config)
    first = JobList.take(places, Wanted())
    assert (first.total, first.pages, len(first.jobs)) == (1, 1, 1)
    assert JobList.take(places, Wanted(page=99)).wanted.page == 1
    assert JobList.take(places, Wanted(text="MAY")).total == 1
    assert JobList.take(places, Wanted(text="m_y")).total == 0
    assert JobList.take(places, Wanted(route="other")).total == 0
    assert JobList.take(places, Wanted(group="held")).jobs == []


def test_a_job_that_stands_still_is_among_those_that_failed(house: House) -> None:
    job = stuck(house)
    listed = JobList.take(Places.of(house.config), Wanted())
    assert [(group, each.id) for group, each in listed.jobs] == [("failed", job)]
    assert dict(listed.counts) == {"now": 0, "waiting": 0, "held": 0, "failed": 1, "done": 0}


def test_a_job_with_a_held_batch_needs_a_person(with_held_batch: tuple[House, str, str]) -> None:
    house, job, _ = with_held_batch
    listed = JobList.take(Places.of(house.config), Wanted(group="held"))
    assert [each.id for _, each in listed.jobs] == [job]


def test_pages_and_the_command_line_say_the_same_time_when_answers_are_expected(tmp_path: Path) -> None:
    house, [may, june] = half_way(tmp_path / "house", "reviews/may.csv", "reviews/june.csv")
    with contextlib.closing(sqlite3.connect(house.state / "batchd.db")) as connection, connection:
        # Another batch of the provider took ten minutes.
        connection.execute("CREATE TEMP TABLE earlier AS SELECT * FROM batches LIMIT 1")
        connection.execute("UPDATE earlier SET key = 'earlier', state = 'done', ended_at = submitted_at + 600")
        connection.execute("INSERT INTO batches SELECT * FROM earlier")
    places = Places.of(house.config)
    by_status = {each["id"]: each["timestamps"]["expected"] for each in Overview.take(places).record()["jobs"]}
    assert None not in (by_status[may], by_status[june])
    listed = JobList.take(places, Wanted()).record()["jobs"]
    assert {each["id"]: each["timestamps"]["expected"] for each in listed} == by_status
    stories = {job: JobStory.take(places, job).record()["job"] for job in (may, june)}
    assert {job: told["timestamps"]["expected"] for job, told in stories.items()} == by_status


def test_when_a_job_is_likely_to_be_back(under_way: tuple[House, list[str]]) -> None:
    house, [may, _] = under_way
    with snapshot(house.state) as state:
        job = state.job(may)
    [batch] = job.batches
    assert batch.submitted_at is not None
    usual = {("fake", "batch"): 600.0}
    assert likely_back(job, {}, batch.submitted_at + 1) is None
    assert likely_back(job, usual, batch.submitted_at + 1) == batch.submitted_at + 600
    # One that takes longer than usual says nothing.
    assert likely_back(job, usual, batch.submitted_at + 601) is None


async def test_spending_and_what_is_left(tmp_path: Path) -> None:
    house, _ = await asyncio.to_thread(finished_house, tmp_path / "house")
    limited = house.config.read_text().replace('currency = "EUR"', 'currency = "EUR"\nper_month = 5.0')
    house.config.write_text(limited)
    async with served(house) as web:
        text = await web.program().text("/spending")
        figures = await web.program().text("/metrics")
    assert "This month, [budget] per_month" in text
    assert text.count('role="img"') == 4  # the days for a phone, too
    assert 'batchd_budget_allowed{limit="[budget] per_month"} 5.0' in figures


async def test_batches_under_way(under_way: tuple[House, list[str]]) -> None:
    house, _ = under_way
    async with served(house) as web:
        text = await web.program().text("/batches")
        assert "6 of 18" in text
        assert "No batch is under way." not in text


async def test_more_requests_than_there_is_room_for_are_told_so(finished: House) -> None:
    async with served(finished, waiting=2) as web:
        program = web.program()
        answers = await asyncio.gather(*(program.get("/", Accept="text/html") for _ in range(12)))
        assert {answer.status for answer in answers} == {200, 503}
        for answer in answers:
            if answer.status == 503:
                assert answer.headers["Retry-After"]
                assert await answer.text() == "Too many requests at once. Try again in a moment."


async def test_a_job_says_until_when_its_refused_rows_rest(house: House) -> None:
    job = await asyncio.to_thread(stuck, house)
    until = time.time() + 3_600.0
    with contextlib.closing(sqlite3.connect(house.state / "batchd.db")) as connection, connection:
        connection.execute("UPDATE jobs SET state = 'running'")
        connection.execute("UPDATE parts SET state = 'planned', rest_until = ?", (until,))
    connection.close()
    async with served(house) as web:
        browser = await web.browser()
        clock = time.strftime("%M", time.gmtime(until))  # the hour is that of the place
        for language, words in (
            ("en", "Refused rows are asked again from"),
            ("vi", "Các dòng bị từ chối được hỏi lại từ"),
        ):
            page = await browser.text(f"/jobs/{job}?lang={language}")
            fact = page[page.index(f"<dt>{words}</dt>") :]
            assert f":{clock}" in fact[: fact.index("</div>")]
        record = await web.program().json(f"/api/v1/jobs/{job}")
        assert record["job"]["timestamps"]["rests_until"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))


def test_the_marks_of_an_axis_differ_however_little_was_spent() -> None:
    words = Words(Language("en"), "USD", 0.0)
    assert [words.plain_money(unit("USD") * n // 200_000) for n in range(3)] == ["0.00", "0.000005", "0.00001"]


def test_what_a_job_waits_for_is_in_the_language_of_the_page(under_way: tuple[House, list[str]]) -> None:
    house, [may, _] = under_way
    with snapshot(house.state) as state:
        job = state.job(may)
    words = Words(Language("vi"), "USD", 0.0)
    for waits, said in (
        ("fake: 3 of 9 answered (2 batches)", "fake: đã trả lời 3 trên 9 (2 lô)"),
        (
            "its questions to be sent to fake; rows that fake refused rest until 23:50",
            "các câu hỏi được gửi đến fake; ",
        ),
        ("something that is new; the file to be read", "something that is new; the file to be read"),
    ):
        why = words.because(job, waits)
        assert (why.label, why.known) == ("why_waits", waits != said)
        assert why.text.startswith(said)
    # What the command line offers as a command has a button here.
    money = replace(job, state="held", reason="it can cost at most 2.00 USD, and [budget] per_job allows 1.00")
    assert words.because(money, "your approval, because …: batchd approve x").label == "why_approval"
    said = words.because(money, "your approval").text
    assert said == "có thể tốn nhiều nhất 2,00 USD, mà [budget] per_job cho phép 1,00."


def test_commands_stand_out_and_everything_else_is_text() -> None:
    assert commands("a `batchd retry <x>` b") == "a <code>batchd retry &lt;x&gt;</code> b"
    assert commands("one ` only <b>") == "one ` only &lt;b&gt;"


async def test_why_a_file_was_handed_back_is_in_the_language_of_the_page(house: House) -> None:
    job = await asyncio.to_thread(house.run, "elsewhere/may.csv", ["good"])
    async with served(house) as web:
        browser = await web.browser()
        page = await browser.text(f"/jobs/{job}?lang=vi")
        assert "Tập tin có tên như vậy không được xử lý trong thư mục elsewhere." in page
        assert "For the operator: " in page
        assert "Files of this name are not processed in the folder elsewhere." in await browser.text(
            f"/jobs/{job}?lang=en"
        )
